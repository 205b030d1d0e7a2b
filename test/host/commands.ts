/** The commands by which the program joins a host: taken from the state of a real stack, so that tests drive the same. */
import assert from "node:assert/strict";
import type { Unwrap } from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import { joinScript } from "../../ssh/bundle";
import { remoteCommand } from "../../ssh/commands";

export type Connection = Unwrap<types.input.remote.ConnectionArgs>;

/** What the stack sends to one host. */
export interface HostCommands {
  connection: Connection;
  /** The state that join makes (mesh/hostState.ts). */
  state: string;
  /** Its certificates and its key, by name. */
  certificates: Record<string, string>;
  /** The CA that has issued them. */
  issuer: { certificate: string; key: string };
  access: string;
  leave: string;
  /** The stdin of both. */
  script: string;
}

interface Resource {
  urn: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** The commands of a host in a stack's state as `pulumi stack export --show-secrets` prints it. */
export function commandsOf(exported: string, host: string): HostCommands {
  const { deployment } = JSON.parse(exported) as { deployment: { resources: Resource[] } };
  const find = (name: string) => {
    const found = deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`));
    assert.ok(found, `the stack has no resource ${name}`);
    return found;
  };
  const inputsOf = (name: string) =>
    revealed(find(name).inputs) as Record<"create" | "delete" | "stdin", string> & { connection: Connection };
  const pem = (name: string, output = "certPem") =>
    (revealed(find(name).outputs) as Record<string, string>)[output] ?? assert.fail(`${name} has no ${output}`);
  const join = inputsOf(`${host}-join`);
  const access = inputsOf(`${host}-access`);
  const state = stateOf(join.stdin);
  assert.equal(join.create, remoteCommand("join"));
  assert.equal(joinScript(state), join.stdin, "the text of the join is not as expected");
  const certificates = {
    "root-cert.pem": pem("ca-root"),
    "cert-chain.pem": [`${host}-identity-certificate`, "ca-intermediate", "ca-root"].map((name) => pem(name)).join(""),
    "key.pem": pem(`${host}-identity-key`, "privateKeyPem"),
  };
  const issuer = { certificate: pem("ca-intermediate"), key: pem("ca-intermediate-key", "privateKeyPem") };
  return {
    connection: join.connection,
    state,
    certificates,
    issuer,
    access: access.create,
    leave: access.delete,
    script: access.stdin,
  };
}

/** The state in the script of a command (ssh/commands.ts, withState). */
export function stateOf(script: string): string {
  const [, quoted = ""] = /^state='\n((?:[^']|'\\'')*)\n'\n/.exec(script) ?? [];
  return quoted.replaceAll(`'\\''`, "'");
}

/** The files in a bundle (ssh/bundle.ts), by name. */
export function filesOf(bundle: string): Record<string, string> {
  const files = bundle.matchAll(/^cat >"\$dir\/(.+)" <<'(.+)'\n([\s\S]*?\n)\2$/gm);
  return Object.fromEntries([...files].map((file) => [file[1]!, file[3]!]));
}

/** Pulumi writes a secret as an object with its plain text as JSON; one secret may be inside of another. */
function revealed(value: unknown): unknown {
  if (Array.isArray(value)) return (value as unknown[]).map(revealed);
  if (typeof value !== "object" || value === null) return value;
  if ("plaintext" in value) return revealed(JSON.parse(value.plaintext as string));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revealed(inner)]));
}

/** The commands by which the program joins a host: taken from the state of a real stack, so that tests drive the same. */
import assert from "node:assert/strict";
import type { Unwrap } from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import { remoteCommand } from "../../mesh/hostState";

export type Connection = Unwrap<types.input.remote.ConnectionArgs>;

/** What the stack sends to one host. */
export interface HostCommands {
  connection: Connection;
  /** The state that join makes (mesh/hostState.ts). */
  state: string;
  /** The bundle that goes to join's stdin. */
  joinBundle: string;
  access: string;
  leave: string;
  /** The bundle that goes to the stdin of access and leave. */
  accessBundle: string;
}

interface Resource {
  urn: string;
  inputs?: Record<string, unknown>;
}

/** The commands of a host in a stack's state as `pulumi stack export --show-secrets` prints it. */
export function commandsOf(exported: string, host: string): HostCommands {
  const { deployment } = JSON.parse(exported) as { deployment: { resources: Resource[] } };
  const inputsOf = (name: string) => {
    const found = deployment.resources.find(({ urn }) => urn.endsWith(`command:remote:Command::${name}`));
    assert.ok(found?.inputs, `the stack has no command ${name}`);
    return revealed(found.inputs) as Record<"create" | "delete" | "stdin", string> & { connection: Connection };
  };
  const join = inputsOf(`${host}-join`);
  const access = inputsOf(`${host}-access`);
  const [, state = ""] = /-- join '\n([^']*)\n' /.exec(join.create.replaceAll(`'\\''`, "'")) ?? [];
  assert.equal(remoteCommand("join", state), join.create, "the text of the join command is not as expected");
  return {
    connection: join.connection,
    state,
    joinBundle: join.stdin,
    access: access.create,
    leave: access.delete,
    accessBundle: access.stdin,
  };
}

/** The files in a bundle (mesh/hostState.ts), by name. */
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

/** Helpers of the unit tests: programs under Pulumi's mocks, throw-away certificates and commands. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { KeyObject } from "node:crypto";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import * as pulumi from "@pulumi/pulumi";
import { utils } from "ssh2";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";

/** A secret among a resource's inputs. As JSON it is a placeholder, so JSON holds only what is in plain sight. */
export class Secret {
  constructor(readonly value: unknown) {}
  toJSON(): string {
    return "<secret>";
  }
}

/** The files in a Secret of Kubernetes, which is all secret. */
export function filesIn({ data, stringData }: Record<string, unknown>): Record<string, string> {
  assert.ok(data instanceof Secret, "what is in a Secret is no secret");
  assert.equal(stringData, undefined);
  const files = Object.entries(data.value as Record<string, string>);
  return Object.fromEntries(files.map(([file, base64]) => [file, Buffer.from(base64, "base64").toString()]));
}

/** What stands where a preview does not know a value yet. */
export const UNKNOWN = "<unknown>";

/** What a program asked the engine for. */
export interface Registered {
  type: string;
  name: string;
  /** The name of the parent; undefined for a resource at the top. */
  parent?: string;
  /** Names of the resources that must be there before, explicit and implied ones; sorted. */
  dependencies: string[];
  /** The name of an explicit provider. */
  provider?: string;
  retainOnDelete: boolean;
  ignoreChanges: string[];
  /** Names that it had before. */
  aliases: string[];
  /** Whether the engine asks the program before it makes or changes it. */
  asksBefore: { create: boolean; update: boolean };
  inputs: Record<string, unknown>;
}

export type Outputs = (resource: Registered) => object | Promise<object>;

export interface Run<T> {
  result: T;
  /** In the order of registration. */
  resources: Registered[];
  /** The one resource of that name. */
  find: (name: string) => Registered;
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A value as it goes to the engine, with the protocol's marks made readable. */
function readable(value: unknown): unknown {
  if (value === UNKNOWN_VALUE) return UNKNOWN;
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  const { [SIGNATURE]: signature, ...fields } = value as Record<string, unknown>;
  if (signature === SECRET) return new Secret(readable(fields.value));
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, readable(field)]));
}

interface Monitor {
  registerResource(request: RegisterResourceRequest, callback: unknown): Promise<void>;
  registerResourceHook(request: unknown, done: (error: null, answer: object) => void): void;
}

/** Pulumi's mocks tell neither parents nor dependencies: the requests to their monitor do. */
function record(resources: Registered[]) {
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  const nameOf = (urn: string) => urn.split("::")[3]!;
  // The mocks say that they have hooks, but lack this.
  monitor.registerResourceHook = (_, done) => done(null, {});
  monitor.registerResource = (request, callback) => {
    resources.push({
      type: request.getType(),
      name: request.getName(),
      parent: request.getParent() ? nameOf(request.getParent()) : undefined,
      dependencies: [...new Set(request.getDependenciesList().map(nameOf))].sort(),
      provider: request.getProvider() ? nameOf(request.getProvider()) : undefined,
      retainOnDelete: request.getRetainondelete() ?? false,
      ignoreChanges: request.getIgnorechangesList(),
      aliases: request.getAliasesList().map((alias) => alias.getSpec()?.getName() || nameOf(alias.getUrn())),
      asksBefore: {
        create: (request.getHooks()?.getBeforeCreateList() ?? []).length > 0,
        update: (request.getHooks()?.getBeforeUpdateList() ?? []).length > 0,
      },
      inputs: readable(request.getObject()!.toJavaScript()) as Record<string, unknown>,
    });
    return register(request, callback);
  };
}

/**
 * Runs a Pulumi program under mocks to its end. Throws its first error, be it thrown or an Output's: as the engine does.
 *
 * @param outputs what a resource has beyond its inputs
 */
export async function runProgram<T>(
  program: () => T | Promise<T>,
  { outputs = () => ({}), preview = false }: { outputs?: Outputs; preview?: boolean } = {},
): Promise<Run<T>> {
  const resources: Registered[] = [];
  const find = (name: string) => {
    const [found, ...others] = resources.filter((resource) => resource.name === name);
    if (found === undefined || others.length > 0)
      throw new Error(`${others.length + (found ? 1 : 0)} resources are called ${name}`);
    return found;
  };
  await pulumi.runtime.setMocks(
    {
      call: ({ token }) => {
        throw new Error(`unexpected call of ${token}`);
      },
      newResource: async ({ name, type, inputs }) => ({
        id: `${name}-id`,
        state: {
          ...(inputs as object),
          ...(await outputs(resources.find((r) => r.name === name && r.type === type)!)),
        },
      }),
    },
    "pulumi-istio-vm",
    "test",
    preview,
  );
  record(resources);

  // What the SDK's runtime does: the first rejection that nobody handles ends the program.
  let fail: (error: unknown) => void;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  const mochas = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (error) => fail(error));
  const turn = () => new Promise(setImmediate);
  try {
    const result = await Promise.race([program(), failed]);
    const { runtime } = pulumi as unknown as { runtime: { waitForRPCs(): Promise<void> } };
    // Rejections are reported once the queue of promises is empty, hence the turn of the event loop.
    await Promise.race([runtime.waitForRPCs().then(turn), failed]);
    return { result, resources, find };
  } finally {
    await turn();
    process.removeAllListeners("unhandledRejection");
    mochas.forEach((listener) => process.on("unhandledRejection", listener));
  }
}

/** An Output's value (UNKNOWN in a preview that does not know it), a secret one as a Secret. */
export async function valueOf(output: pulumi.Output<unknown>): Promise<unknown> {
  const internals = output as unknown as { promise(): Promise<unknown>; isKnown: Promise<boolean> };
  const value = (await internals.isKnown) ? await internals.promise() : UNKNOWN;
  return (await pulumi.isSecret(output)) ? new Secret(value) : value;
}

/** Runs `body` with these commands, shell scripts, put before all others on the PATH, or before `rest`. */
export async function withCommands<T>(
  scripts: Record<string, string>,
  body: () => T | Promise<T>,
  rest = process.env.PATH,
): Promise<T> {
  const path = process.env.PATH;
  return withDirectory(async (directory) => {
    for (const [name, script] of Object.entries(scripts)) {
      writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(directory, name), 0o755);
    }
    process.env.PATH = `${directory}${delimiter}${rest}`;
    try {
      return await body();
    } finally {
      process.env.PATH = path;
    }
  });
}

/** Runs `body` with a fresh directory that is removed afterwards. */
export async function withDirectory<T>(body: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "istio-vm-unit-"));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, maxRetries: 10 }); // what a test started may be about to end
  }
}

/** Runs `body` with SSH_AUTH_SOCK as it is wanted. */
export async function withAgentAt<T>(socket: string | undefined, body: () => T | Promise<T>): Promise<T> {
  const saved = process.env.SSH_AUTH_SOCK;
  const set = (value: string | undefined) => {
    if (value === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = value;
  };
  set(socket);
  try {
    return await body();
  } finally {
    set(saved);
  }
}

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const keys = crypto.subtle.generateKey(EC, false, ["sign", "verify"]);

/** A self-signed certificate, PEM, by default valid in 2026. */
export async function certificate({
  subject = "CN=test",
  ca = undefined as boolean | undefined,
  pathLength = undefined as number | undefined,
  uris = [] as string[],
  names = [] as string[],
  notAfter = new Date("2027-01-01T00:00:00Z"),
}): Promise<string> {
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: subject,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter,
    keys: await keys,
    signingAlgorithm: EC,
    extensions: [
      ...(ca === undefined ? [] : [new x509.BasicConstraintsExtension(ca, pathLength, true)]),
      ...(uris.length + names.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension([
              ...uris.map((value) => ({ type: "url" as const, value })),
              ...names.map((value) => ({ type: "dns" as const, value })),
            ]),
          ]),
    ],
  });
  return `${made.toString("pem")}\n`;
}

/** An authority that signs by itself: its certificate, valid today, and its key. */
export async function authority(): Promise<{ certificate: string; key: string }> {
  const pair = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=mine",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    keys: pair,
    signingAlgorithm: EC,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const key = KeyObject.from(pair.privateKey).export({ type: "pkcs8", format: "pem" }) as string;
  return { certificate: `${made.toString("pem")}\n`, key };
}

/** The text of the private key that the stand-in for the tls provider "makes". */
export const privateKey = (name: string) => `-----BEGIN PRIVATE KEY-----\n${name}\n-----END PRIVATE KEY-----\n`;

/** A new key for SSH, as OpenSSH writes it: the private one, and the public one as known_hosts has it. */
export function sshKeyPair(): { private: string; public: string } {
  const pair = utils.generateKeyPairSync("ed25519");
  return { private: pair.private, public: pair.public.trim() };
}

/** What the tls provider answers, with certificates that say what was asked for. */
export const tlsOutputs: Outputs = async ({ type, name, inputs }) => {
  switch (type) {
    case "tls:index/privateKey:PrivateKey":
      return { privateKeyPem: pulumi.secret(privateKey(name)) };
    case "tls:index/certRequest:CertRequest":
      return { certRequestPem: JSON.stringify({ subject: inputs.subject, uris: inputs.uris }) };
    case "tls:index/selfSignedCert:SelfSignedCert":
      return {
        certPem: await certificate({
          subject: `CN=${(inputs.subject as { commonName: string }).commonName}`,
          ca: inputs.isCaCertificate as boolean,
          pathLength: inputs.maxPathLength as number,
        }),
      };
    case "tls:index/locallySignedCert:LocallySignedCert": {
      const { uris } = JSON.parse(inputs.certRequestPem as string) as { uris?: string[] };
      return { certPem: await certificate({ subject: `CN=${name}`, ca: inputs.isCaCertificate === true, uris }) };
    }
    default:
      return {};
  }
};

/** A stand-in for istioctl of that version that answers `manifest generate` with that text. */
export const istioctl = (version: string, manifest: string) => `
case "$*" in
  "version --remote=false --output=json") echo '{"clientVersion": {"version": "${version}"}}' ;;
  "manifest generate "*" --filename=-"*)
    cat >/dev/null
    cat <<'END_OF_MANIFEST'
${manifest}
END_OF_MANIFEST
    ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac`;

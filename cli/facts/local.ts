import { execFile } from "node:child_process";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import type { Config, SshKey } from "../../config";
import { signingKey } from "../../config/caKey";
import type { LocalFacts } from "../../diagnosis/facts";
import { agentProblem } from "../../ssh/agent";
import { sshEndpoint } from "../../ssh/endpoint";
import { privateKey } from "../hostSession";
import type { Stack } from "../stack";

async function sha256OfFile(path: string): Promise<LocalFacts["sidecarFiles"][number]["found"]> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    return { problem: `can't be read: ${(error as Error).message}` };
  }
  return { sha256: hash.digest("hex") };
}

async function sidecarFiles({ sidecar, hosts }: Config): Promise<LocalFacts["sidecarFiles"]> {
  const packages = new Set([sidecar, ...hosts.map((host) => host.sidecar)].flat());
  const files = [...packages].flatMap(({ place, source, sha256 }) =>
    "file" in source ? [{ place, sha256, file: source.file }] : [],
  );
  return Promise.all(files.map(async ({ file, ...each }) => ({ ...each, found: await sha256OfFile(file) })));
}

/** Why a key logs in nowhere. Its content is never part of the words. */
async function keyProblem(key: SshKey, secret: Stack["secret"]): Promise<string | undefined> {
  if ("agent" in key) {
    if (process.env.SSH_AUTH_SOCK === undefined) return "there is no ssh-agent: SSH_AUTH_SOCK is not set";
    // Exit status 1: it answers, but has no key.
    return promisify(execFile)("ssh-add", ["-l"], { timeout: 5000 }).then(
      () => undefined,
      (error: { code?: number | string }) =>
        error.code === 1 ? "the ssh-agent has no key" : "the ssh-agent does not answer",
    );
  }
  try {
    privateKey(key, secret);
    return undefined;
  } catch (error) {
    return `the key ${(error as Error).message}`;
  }
}

async function unusableKeys({ hosts }: Config, secret: Stack["secret"]): Promise<LocalFacts["unusableKeys"]> {
  const servers = hosts.flatMap(({ ssh }) => [ssh, ...(ssh.bastion ? [ssh.bastion] : [])]);
  const keys = [...new Map(servers.map(({ key }) => [key.place, key])).values()];
  const problems = keys.map(async (key) => ({ place: key.place, problem: await keyProblem(key, secret) }));
  return (await Promise.all(problems)).flatMap(({ place, problem }) =>
    problem === undefined ? [] : [{ place, problem }],
  );
}

function keyFits({ ca }: Config, secret: Stack["secret"]): boolean | undefined {
  if (ca === undefined || !("provided" in ca)) return undefined;
  const { caCert, caKey } = ca.provided;
  try {
    return new X509Certificate(caCert).checkPrivateKey(createPrivateKey(signingKey(secret(caKey.secret))));
  } catch {
    return false; // not even a key; its text must not be shown
  }
}

/** What the configuration refers to on this machine. */
export async function lookAround({ config, secret }: Stack): Promise<LocalFacts> {
  if (config === undefined) return { unknownHostKeys: [], unusableKeys: [], sidecarFiles: [] };
  const unknownHostKeys = config.hosts.flatMap((host) => {
    try {
      sshEndpoint(host.ssh);
      return [];
    } catch (error) {
      return [{ host: host.name, problem: (error as Error).message }];
    }
  });
  return {
    unknownHostKeys,
    unusableKeys: await unusableKeys(config, secret),
    agentProblem: agentProblem(),
    sidecarFiles: await sidecarFiles(config),
    providedKeyFits: keyFits(config, secret),
  };
}

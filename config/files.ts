/** What the configuration refers to on this machine: files that must be there, and keys that must open. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { authorityProblems } from "./authority";
import { usableSshKey } from "./privateKey";
import type { SshKey, Stack } from "./schema";
import { allPackages } from "./sidecar";

const REASONS: Record<string, string> = {
  ENOENT: "is not there",
  EACCES: "may not be read by this user",
  EISDIR: "is a folder",
  ENOTDIR: "is not there",
};

/** What a file holds, or in words why it can't be read. */
function attempt<T>(path: string, read: (path: string) => T): T | Error {
  try {
    if (statSync(path).isDirectory()) return new Error("is a folder");
    return read(path);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    return new Error(REASONS[code] ?? `can't be read: ${message}`);
  }
}

/** SHA-256 of a file, a piece at a time: a package has 50 MB and more. */
function sha256Of(path: string): string {
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  try {
    const piece = Buffer.alloc(1 << 20);
    for (let length; (length = readSync(file, piece)) > 0;) hash.update(piece.subarray(0, length));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}

const readable = (path: string) => closeSync(openSync(path, "r"));

/** Each place of the stack that says how to log in somewhere. */
export function sshPlaces({ ssh, hosts }: Stack) {
  return [
    { place: "ssh", server: ssh },
    ...hosts.map((host, i) => ({ place: `hosts[${i}].ssh`, server: host.ssh })),
  ].flatMap(({ place, server }) => [
    { place, server },
    ...(server.bastion === undefined ? [] : [{ place: `${place}.bastion`, server: server.bastion }]),
  ]);
}

/** Of a secret that is not there others speak. */
function keyProblem(key: SshKey, secret: (name: string) => string | undefined): string | undefined {
  if ("agent" in key) return undefined;
  const text = "file" in key ? attempt(key.file, (path) => readFileSync(path, "utf8")) : secret(key.secret);
  if (text instanceof Error) return text.message;
  try {
    if (text !== undefined) usableSshKey(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** How a key is named in a sentence: by where it is, never by what it is. */
const nameOf = (key: SshKey) =>
  "file" in key ? ["file", `"${key.file}"`] : "secret" in key ? ["secret", `the secret "${key.secret}"`] : ["", ""];

/**
 * Files that are not there, keys and certificates that can't be used.
 *
 * @param secret the value of a secret, which is never part of the words
 */
export function checkFiles(stack: Stack, secret: (name: string) => string | undefined): string[] {
  const problems: string[] = [];
  const needed = (place: string, path: string | undefined) => {
    const found = path === undefined ? undefined : attempt(path, readable);
    if (found instanceof Error) problems.push(`${place}: "${path}" ${found.message}`);
  };
  needed("cluster.kubeconfig", stack.cluster.kubeconfig);
  for (const { place, server } of sshPlaces(stack)) {
    // Of one that is not there, IVM202 says for which host a key is missing.
    if (server.knownHosts !== undefined && existsSync(server.knownHosts)) {
      needed(`${place}.knownHosts`, server.knownHosts);
    }
    if (server.key === undefined) continue;
    const problem = keyProblem(server.key, secret);
    const [field, name] = nameOf(server.key);
    if (problem !== undefined) problems.push(`${place}.key.${field}: ${name} ${problem}`);
  }
  for (const { place, source, sha256 } of allPackages(stack)) {
    if ("secret" in source) {
      const url = secret(source.secret)?.trim();
      if (url !== undefined && !/^https?:\/\/[^\s'"\\]+$/.test(url)) {
        problems.push(`${place}.url.secret: the secret "${source.secret}" is no http or https URL of one line`);
      }
    } else if ("file" in source) {
      const digest = attempt(source.file, sha256Of);
      if (digest instanceof Error) problems.push(`${place}.file: "${source.file}" ${digest.message}`);
      else if (digest !== sha256) {
        problems.push(`${place}.sha256: "${sha256}" is not allowed; "${source.file}" has ${digest}`);
      }
    }
  }
  const { ca } = stack;
  if (ca !== undefined && "provided" in ca)
    problems.push(...authorityProblems(ca.provided, secret(ca.provided.caKey.secret)));
  return problems;
}

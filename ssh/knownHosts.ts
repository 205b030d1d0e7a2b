import { createHmac } from "node:crypto";

/**
 * Key types in the order in which they are picked when a known_hosts file has several for one host. RSA is not among
 * them: the command provider would ask the server for the SHA-1 signature `ssh-rsa`, which OpenSSH 8.8 and later refuse.
 */
const KEY_TYPES = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/** Whether OpenSSH's known_hosts `pattern` (one of the comma-separated first field) names `host`. See sshd(8). */
function matches(pattern: string, host: string): boolean {
  if (pattern.startsWith("|1|")) {
    const [, , salt = "", hash = ""] = pattern.split("|");
    return createHmac("sha1", Buffer.from(salt, "base64")).update(host.toLowerCase()).digest("base64") === hash;
  }
  const source = [...pattern.toLowerCase()]
    .map((c) => (c === "*" ? ".*" : c === "?" ? "." : c.replace(/[\\^$.|+()[\]{}]/, "\\$&")))
    .join("");
  return new RegExp(`^${source}$`).test(host.toLowerCase());
}

/**
 * The host key (`<type> <base64>`, as in authorized_keys) that a known_hosts text has for a host, as a person's ssh
 * would find it: plain, hashed, wildcard and negated names, `[host]:port` for another port than 22. Undefined when
 * there is none of a usable type. Keys marked @revoked are never returned; @cert-authority lines are passed over, as
 * the command provider can't check host certificates.
 */
export function findHostKey(knownHosts: string, host: string, port: number): string | undefined {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const found = new Set<string>();
  const revoked = new Set<string>();
  for (const line of knownHosts.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    if (fields.length < 3 || line.trimStart().startsWith("#")) continue;
    const marker = fields[0]?.startsWith("@") ? fields.shift() : undefined;
    const [patterns, type, key] = fields;
    if (patterns === undefined || type === undefined || key === undefined) continue;
    const parts = patterns.split(",");
    if (parts.some((p) => p.startsWith("!") && matches(p.slice(1), name))) continue;
    if (!parts.some((p) => !p.startsWith("!") && matches(p, name))) continue;
    if (marker === "@revoked") revoked.add(`${type} ${key}`);
    else if (marker === undefined) found.add(`${type} ${key}`);
  }
  const usable = [...found].filter((key) => !revoked.has(key));
  for (const type of KEY_TYPES) {
    const key = usable.find((k) => k.startsWith(`${type} `));
    if (key !== undefined) return key;
  }
  return undefined;
}

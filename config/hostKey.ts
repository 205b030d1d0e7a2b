import { utils } from "ssh2";

/** Whether a text is a public host key of a kind that both SSH clients take, as in known_hosts: `ssh-ed25519 AAAA...`. */
export function isHostKey(text: string): boolean {
  const [, type, data] = /^(ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+=*)( .*)?$/.exec(text) ?? [];
  if (type === undefined || data === undefined) return false;
  const key = utils.parseKey(`${type} ${data}`);
  // What it holds must be of the kind that stands before it, and all of it.
  return !(key instanceof Error) && key.type === type && key.getPublicSSH().toString("base64") === data;
}

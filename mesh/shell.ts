/** Characters that a POSIX shell takes literally in an assignment or a word outside quotes (no globbing in assignments). */
const SAFE = /^[A-Za-z0-9_@%+=:,./*-]+$/;

/** `text` as one word of a POSIX shell: every byte survives, whatever it is. A NUL can't be in a word and is refused. */
export function quote(text: string): string {
  if (text.includes("\0")) throw new Error("a shell word can't hold a NUL character");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * One line `NAME=value` of a file that `istio-start.sh` sources (cluster.env, sidecar.env): a value that the shell takes
 * literally stands as it is, as in Istio's own files; any other stands in double quotes.
 */
export function assignment(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`"${name}" is no name for an environment variable`);
  if (/[\0\r\n]/.test(value))
    throw new Error(`the value of ${name} has a line break, which an environment file can't hold`);
  if (value === "" || SAFE.test(value)) return `${name}=${value}`;
  return `${name}="${value.replace(/["$`\\]/g, "\\$&")}"`;
}

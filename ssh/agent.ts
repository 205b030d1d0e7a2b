import { spawnSync } from "node:child_process";

const CONNECT = `require("node:net").connect(process.argv[1])
  .on("connect", () => process.exit())
  .on("error", ({ code }) => { console.log(code); process.exit(1); })`;

/**
 * Why no ssh-agent answers at SSH_AUTH_SOCK; undefined if one does, or if that is not set. In a process of its own, and
 * waited for: the program must know before it makes its first resource.
 */
export function agentProblem(): string | undefined {
  const socket = process.env.SSH_AUTH_SOCK;
  if (!socket) return undefined;
  const { status, stdout } = spawnSync(process.execPath, ["-e", CONNECT, socket], { encoding: "utf8", timeout: 5000 });
  if (status === 0) return undefined;
  return `SSH_AUTH_SOCK is ${socket}, where no ssh-agent answers (${stdout.trim() || "within 5 s"})`;
}

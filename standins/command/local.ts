/** local.Command: shell commands on this machine, when the resource is made or changed, and when it is deleted. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { diffPaths } from "../diff";
import { checkInputs } from "../inputs";
import type { ResourceRequest, ResourceType } from "../provider";
import { plain, UNKNOWN } from "../values";

interface Output {
  stdout: string;
  stderr: string;
}

async function run(command: string, { log, signal }: ResourceRequest): Promise<Output> {
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"], signal });
  const lines: string[] = [];
  const [stdout, stderr] = [child.stdout, child.stderr].map((input) => {
    const own: string[] = [];
    createInterface({ input }).on("line", (line) => {
      own.push(line);
      lines.push(line);
      log("info#status", line);
    });
    return own;
  });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`exit status ${status}: running ${JSON.stringify(command)}:\n${lines.join("\n")}`);
  return { stdout: stdout!.join("\n"), stderr: stderr!.join("\n") };
}

const NOTHING: Output = { stdout: "", stderr: "" };
const UNTIL_RUN = { stdout: UNKNOWN, stderr: UNKNOWN };

interface Commands {
  create?: string;
  delete?: string;
}

export const local: ResourceType = {
  check({ news }) {
    checkInputs(news, { fields: { create: "string", delete: "string" } });
    return news;
  },
  diff: ({ oldInputs, news }) => ({ changes: diffPaths(oldInputs, news) }),
  read: ({ id, inputs, state }) => ({ id, inputs, state }),
  async create(request) {
    const { inputs, preview, name } = request;
    const text = preview ? undefined : plain<Commands>(inputs).create;
    const waits = preview && inputs.create !== undefined;
    const output = text === undefined ? (waits ? UNTIL_RUN : NOTHING) : await run(text, request);
    return { id: preview ? "" : name + randomBytes(4).toString("hex"), state: { ...inputs, ...output } };
  },
  /** Without a command of its own, an update runs that of the creation. */
  async update(request) {
    const { inputs, state, preview } = request;
    const previous = { stdout: state.stdout, stderr: state.stderr };
    const text = preview ? undefined : plain<Commands>(inputs).create;
    return { ...inputs, ...(text === undefined ? previous : await run(text, request)) };
  },
  async delete(request) {
    const { delete: text } = plain<Commands>(request.state);
    if (text !== undefined) await run(text, request);
  },
};

/** local.Command: a shell command on this machine; only with `create`, `update`, `delete` and `environment`. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { diffPaths } from "../diff";
import { checkInputs, Fields } from "../inputs";
import type { ResourceRequest, ResourceType } from "../provider";
import { plain, UNKNOWN } from "../values";

interface Inputs {
  create?: string;
  update?: string;
  delete?: string;
  environment?: Record<string, string>;
}

const fields: Fields = {
  fields: { create: "string", update: "string", delete: "string", environment: { values: "string" } },
  required: [],
};

async function run(command: string, { environment }: Inputs, { log, signal }: Pick<ResourceRequest, "log" | "signal">) {
  const child = spawn("/bin/sh", ["-c", command], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  const output = { stdout: "", stderr: "" };
  const lines: string[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (data: Buffer) => (output[stream] += data.toString()));
    createInterface({ input: child[stream] }).on("line", (line) => {
      lines.push(line);
      log("info#status", line);
    });
  }
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`exit status ${status}: running ${JSON.stringify(command)}:\n${lines.join("\n")}`);
  return { stdout: output.stdout.replace(/\n$/, ""), stderr: output.stderr.replace(/\n$/, "") };
}

const NOTHING = { stdout: "", stderr: "" };

export const local: ResourceType = {
  check({ news }) {
    checkInputs(news, fields);
    return news;
  },
  diff: ({ oldInputs, news }) => ({ changes: diffPaths(oldInputs, news) }),
  read: ({ id, inputs, state }) => ({ id, inputs, state }),

  async create(request) {
    const { inputs, preview, name } = request;
    if (preview) return { id: "", state: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
    const { create, ...options } = plain<Inputs>(inputs);
    const output = create === undefined ? NOTHING : await run(create, options, request);
    return { id: name + randomBytes(4).toString("hex"), state: { ...inputs, ...output } };
  },

  async update(request) {
    const { inputs, state, preview } = request;
    if (preview) return { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN };
    const { create, update = create, ...options } = plain<Inputs>(inputs);
    const before = { stdout: state.stdout, stderr: state.stderr };
    return { ...inputs, ...(update === undefined ? before : await run(update, options, request)) };
  },

  async delete(request) {
    const { delete: text, ...options } = plain<Inputs>(request.state);
    if (text !== undefined) await run(text, options, request);
  },
};

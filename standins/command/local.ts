/** local.Command: a shell command on this machine, when the resource is deleted; nothing when it is made. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { diffPaths } from "../diff";
import { checkInputs } from "../inputs";
import type { ResourceRequest, ResourceType } from "../provider";
import { plain } from "../values";

async function run(command: string, { log, signal }: ResourceRequest): Promise<void> {
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"], signal });
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => {
      lines.push(line);
      log("info#status", line);
    });
  }
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`exit status ${status}: running ${JSON.stringify(command)}:\n${lines.join("\n")}`);
}

const NOTHING = { stdout: "", stderr: "" };

export const local: ResourceType = {
  check({ news }) {
    checkInputs(news, { fields: { delete: "string" } });
    return news;
  },
  diff: ({ oldInputs, news }) => ({ changes: diffPaths(oldInputs, news) }),
  read: ({ id, inputs, state }) => ({ id, inputs, state }),
  create: ({ inputs, preview, name }) => ({
    id: preview ? "" : name + randomBytes(4).toString("hex"),
    state: { ...inputs, ...NOTHING },
  }),
  update: ({ inputs }) => ({ ...inputs, ...NOTHING }),
  async delete(request) {
    const { delete: text } = plain<{ delete?: string }>(request.state);
    if (text !== undefined) await run(text, request);
  },
};

/** remote.Command: a shell command on a machine over SSH. */
import { randomBytes } from "node:crypto";
import { diffPaths } from "../diff";
import type { ResourceType, UpdateRequest } from "../provider";
import { hasUnknown, plain, UNKNOWN } from "../values";
import { connectionFields, remote } from "./remote";
import { run, Run } from "./run";

interface Inputs extends Omit<Run, "command"> {
  create?: string;
  delete?: string;
}

const fields = {
  fields: {
    connection: connectionFields,
    create: "string",
    delete: "string",
    stdin: "string",
    // The default, true, sends the last output as environment variables, which a stock sshd refuses.
    addPreviousOutputInEnv: [false],
  },
  required: ["connection", "addPreviousOutputInEnv"],
} as const;

const NOTHING = { stdout: "", stderr: "" };

export const command: ResourceType = {
  ...remote,

  check: (request) => remote.check(request, fields),

  async create(request) {
    const { inputs, preview, name } = request;
    if (preview) return { id: "", state: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
    const { create, ...options } = plain<Inputs>(inputs);
    const output = create === undefined ? NOTHING : await run({ ...options, command: create }, request);
    return { id: name + randomBytes(4).toString("hex"), state: { ...inputs, ...output } };
  },

  async update(request) {
    const { inputs, state, preview } = request;
    const previous = { stdout: state.stdout, stderr: state.stderr };
    if (preview) return { ...inputs, ...(changed(request) ? { stdout: UNKNOWN, stderr: UNKNOWN } : previous) };
    const { create, ...options } = plain<Inputs>(inputs);
    return { ...inputs, ...(create === undefined ? previous : await run({ ...options, command: create }, request)) };
  },

  async delete(request) {
    const { delete: text, ...options } = plain<Inputs>(request.state);
    if (text !== undefined) await run({ ...options, command: text }, request);
  },
};

/** As in pulumi-go-provider: outputs become unknown if an input of the last update is unknown or another one now. */
function changed({ inputs, state }: UpdateRequest): boolean {
  return Object.keys(fields.fields).some(
    (key) => hasUnknown(inputs[key]) || (key in state && diffPaths(state[key], inputs[key]).size > 0),
  );
}

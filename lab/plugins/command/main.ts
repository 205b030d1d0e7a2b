/** The stand-in for the command provider: remote.Command, remote.CopyToRemote and a plain local.Command. */
import { randomBytes } from "node:crypto";
import { diffPaths, topLevel } from "../diff";
import { CheckError } from "../errors";
import { checkInputs, Fields } from "../inputs";
import { Provider, ResourceType, serve, UpdateRequest } from "../provider";
import { Asset, hasUnknown, isObj, Obj, plain, secret, UNKNOWN } from "../values";
import { versions } from "../versions";
import type { Connection } from "./connection";
import { copyToRemote } from "./copy";
import { local } from "./local";
import { Output, run, Run } from "./run";

const endpoint: Fields["fields"] = {
  host: "string",
  port: "integer",
  user: "string",
  password: "string",
  privateKey: "string",
  privateKeyPassword: "string",
  agentSocketPath: "string",
  dialErrorLimit: "integer",
  perDialTimeout: "integer",
  hostKey: "string",
};
const proxy: Fields = { fields: endpoint, required: ["host"] };
const connection: Fields = { fields: { ...endpoint, proxy }, required: ["host"] };

/** The defaults of an endpoint, at each place where the real provider fills them in. */
function withDefaults(value: unknown): unknown {
  if (!isObj(value)) return value; // Unknown in a preview.
  const { proxy, ...rest } = value;
  const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
  return { ...defaults, ...rest, ...(proxy === undefined ? {} : { proxy: withDefaults(proxy) }) };
}

/** What both types share: the connection is always secret, a changed trigger replaces, the rest updates in place. */
const shared = {
  check({ news }, fields: Fields): Obj {
    checkInputs(news, fields);
    return { ...news, connection: secret(withDefaults(plain(news.connection))) };
  },

  diff({ oldInputs, news }) {
    const changes = diffPaths(oldInputs, news);
    return { changes, replaces: [...changes.keys()].filter((path) => topLevel(path) === "triggers") };
  },

  // There is nothing to ask the machine for: as the real one, it believes the state.
  read: ({ id, inputs, state }) => ({ id, inputs, state }),
} satisfies {
  check(request: { news: Obj }, fields: Fields): Obj;
  diff: ResourceType["diff"];
  read: ResourceType["read"];
};

interface CommandInputs extends Omit<Run, "command" | "previous"> {
  create?: string;
  update?: string;
  delete?: string;
}

const commandFields: Fields = {
  fields: {
    connection,
    create: "string",
    update: "string",
    delete: "string",
    stdin: "string",
    triggers: { items: "any" },
    environment: { values: "string" },
    addPreviousOutputInEnv: "boolean",
    logging: ["stdout", "stderr", "stdoutAndStderr", "none"],
  },
  required: ["connection"],
};

export const command: ResourceType = {
  ...shared,

  check: (request) => shared.check(request, commandFields),

  async create(request) {
    const { inputs, preview, name } = request;
    if (preview) return { id: "", state: { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN } };
    const { create, ...options } = plain<CommandInputs>(inputs);
    const nothing = { stdout: "", stderr: "" };
    const output =
      create === undefined ? nothing : await run({ ...options, command: create, previous: nothing }, request);
    return { id: name + randomBytes(4).toString("hex"), state: { ...inputs, ...output } };
  },

  async update(request) {
    const { inputs, state, preview } = request;
    const previous = { stdout: state.stdout, stderr: state.stderr };
    if (preview) return { ...inputs, ...(changed(request) ? { stdout: UNKNOWN, stderr: UNKNOWN } : previous) };
    const { create, update, ...options } = plain<CommandInputs>(inputs);
    const text = update ?? create;
    if (text === undefined) return { ...inputs, ...previous };
    return { ...inputs, ...(await run({ ...options, command: text, previous: plain<Output>(previous) }, request)) };
  },

  async delete(request) {
    const { delete: text, ...options } = plain<CommandInputs & Output>(request.state);
    if (text !== undefined) await run({ ...options, command: text, previous: options }, request);
  },
};

/** As in pulumi-go-provider: outputs become unknown if an input of the last update is unknown or another one now. */
function changed({ inputs, state }: UpdateRequest): boolean {
  return Object.keys(commandFields.fields).some(
    (key) => hasUnknown(inputs[key]) || (key in state && diffPaths(state[key], inputs[key]).size > 0),
  );
}

interface CopyInputs {
  connection: Connection;
  remotePath: string;
  source: Asset;
}

const copyFields: Fields = {
  fields: { connection, remotePath: "string", source: "asset", triggers: { items: "any" } },
  required: ["connection", "remotePath", "source"],
};

export const copy: ResourceType = {
  ...shared,

  check(request) {
    const inputs = shared.check(request, copyFields);
    const source = plain<Asset>(inputs.source);
    if (!hasUnknown(source) && source.path === undefined && source.text === undefined) {
      throw new CheckError([{ property: "source", reason: "must be a file, a directory or a text" }]);
    }
    return inputs;
  },

  async create(request) {
    const { inputs, preview } = request;
    if (preview) return { id: "", state: inputs };
    const { source, remotePath, connection } = plain<CopyInputs>(inputs);
    await copyToRemote(source, remotePath, connection, request);
    return { id: randomBytes(4).toString("hex"), state: inputs };
  },

  async update(request) {
    const { inputs, state, preview } = request;
    const [before, after] = [plain<CopyInputs>(state), plain<CopyInputs>(inputs)];
    const same = before.source.hash === after.source.hash && before.remotePath === after.remotePath;
    if (!preview && !same) await copyToRemote(after.source, after.remotePath, after.connection, request);
    return inputs;
  },

  delete() {
    // The real provider leaves the copy where it is.
  },
};

const types: Record<string, ResourceType> = {
  "command:local:Command": local,
  "command:remote:Command": command,
  "command:remote:CopyToRemote": copy,
};

export const commandProvider: Provider = {
  name: "command",
  version: versions.command,
  resource: (type) => types[type],
};

if (require.main === module) void serve(commandProvider);

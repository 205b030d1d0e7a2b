/** remote.CopyToRemote: copies one file to a machine over SFTP. */
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { Client, SFTPWrapper } from "ssh2";
import { CheckError } from "../errors";
import type { ResourceRequest, ResourceType } from "../provider";
import { Asset, hasUnknown, plain } from "../values";
import { Connection, dial } from "./connection";
import { connectionFields, remote } from "./remote";

interface Inputs {
  connection: Connection;
  remotePath: string;
  source: Asset;
}

const fields = {
  fields: { connection: connectionFields, remotePath: "string", source: "asset" },
  required: ["connection", "remotePath", "source"],
} as const;

async function copyFile({ source, remotePath, connection }: Inputs, request: ResourceRequest): Promise<void> {
  const client = await dial(connection, request);
  try {
    const sftp = await promisify<SFTPWrapper>((callback) => client.sftp(callback as Parameters<Client["sftp"]>[0]))();
    await promisify(sftp.fastPut.bind(sftp))(source.path!, remotePath);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`failed to copy file ${source.path} to remote path ${remotePath}: ${message}`, { cause: error });
  } finally {
    client.end();
  }
}

export const copy: ResourceType = {
  ...remote,

  check(request) {
    const inputs = remote.check(request, fields);
    const source = plain<Asset>(inputs.source);
    if (!hasUnknown(source) && source.path === undefined) {
      throw new CheckError([{ property: "asset", reason: "asset must be a path-based file asset" }]);
    }
    return inputs;
  },

  async create(request) {
    const { inputs, preview } = request;
    if (preview) return { id: "", state: inputs };
    await copyFile(plain<Inputs>(inputs), request);
    return { id: randomBytes(4).toString("hex"), state: inputs };
  },

  async update(request) {
    const { inputs, state, preview } = request;
    const [before, after] = [plain<Inputs>(state), plain<Inputs>(inputs)];
    const same = before.source.hash === after.source.hash && before.remotePath === after.remotePath;
    if (!preview && !same) await copyFile(after, request);
    return inputs;
  },

  delete() {
    // The real provider leaves the copy where it is.
  },
};

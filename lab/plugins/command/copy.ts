/** Copies a file, a directory or a text to a machine over SFTP. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path/posix";
import { promisify } from "node:util";
import type { Client, SFTPWrapper } from "ssh2";
import type { ResourceRequest } from "../provider";
import { Connection, dial } from "./connection";

/** An asset or an archive of the engine: a text, or the path of a file or directory. */
export interface Source {
  text?: string;
  path?: string;
}

/**
 * Copies as the real provider does. A file goes into a directory that exists, else it becomes `remotePath`; a directory
 * goes into `remotePath`, its content only if the source ends with a slash. Parent directories are made.
 */
export async function copyToRemote(
  source: Source,
  remotePath: string,
  connection: Connection,
  request: Pick<ResourceRequest, "log" | "signal">,
): Promise<void> {
  const client = await dial(connection, request);
  const cancel = () => client.destroy();
  request.signal.addEventListener("abort", cancel);
  try {
    const sftp = await promisify<SFTPWrapper>((callback) => client.sftp(callback as Parameters<Client["sftp"]>[0]))();
    const target = new Target(sftp);
    if (source.text !== undefined) await target.writeText(source.text, remotePath);
    else await target.copy(source.path!, remotePath);
  } finally {
    request.signal.removeEventListener("abort", cancel);
    client.end();
  }
}

class Target {
  constructor(private readonly sftp: SFTPWrapper) {}

  async writeText(text: string, path: string): Promise<void> {
    if ((await this.kind(path)) === "directory") {
      throw new Error(`remote path ${path} is a directory; when using a text asset, remotePath must be a file path`);
    }
    await this.makeDirectories(dirname(path));
    await new Promise<void>((resolve, reject) => {
      this.sftp.writeFile(path, text, (error) => (error ? reject(failure("write", path, error)) : resolve()));
    });
  }

  async copy(source: string, destination: string): Promise<void> {
    const kind = await this.kind(destination);
    if (!(await stat(source)).isDirectory()) {
      if (kind === undefined) await this.makeDirectories(dirname(destination));
      return this.copyFile(source, kind === "directory" ? join(destination, basename(source)) : destination);
    }
    await this.makeDirectories(destination);
    return this.copyDirectory(source, source.endsWith("/") ? destination : join(destination, basename(source)));
  }

  private async copyDirectory(source: string, destination: string): Promise<void> {
    await this.makeDirectories(destination);
    for (const entry of await readdir(source, { withFileTypes: true })) {
      const [from, to] = [join(source, entry.name), join(destination, entry.name)];
      await (entry.isDirectory() ? this.copyDirectory(from, to) : this.copyFile(from, to));
    }
  }

  private copyFile(source: string, destination: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sftp.fastPut(source, destination, (error) =>
        error ? reject(failure(`copy ${source} to`, destination, error)) : resolve(),
      );
    });
  }

  private async makeDirectories(path: string): Promise<void> {
    const kind = await this.kind(path);
    if (kind === "directory") return;
    if (kind === "file") throw new Error(`remote path ${path} exists but is not a directory`);
    await this.makeDirectories(dirname(path));
    await new Promise<void>((resolve, reject) => {
      this.sftp.mkdir(path, (error) => (error ? reject(failure("create directory", path, error)) : resolve()));
    });
  }

  /** Undefined if there is nothing. */
  private kind(path: string): Promise<"file" | "directory" | undefined> {
    return new Promise((resolve, reject) => {
      this.sftp.stat(path, (error, stats) => {
        if (!error) resolve(stats.isDirectory() ? "directory" : "file");
        else if ((error as { code?: number }).code === NO_SUCH_FILE) resolve(undefined);
        else reject(failure("stat", path, error));
      });
    });
  }
}

const NO_SUCH_FILE = 2; // SSH_FX_NO_SUCH_FILE

const failure = (what: string, path: string, cause: Error): Error =>
  new Error(`failed to ${what} remote path ${path}: ${cause.message}`, { cause });

/** An SSH server on the loopback address. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, writeSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, type Socket } from "node:net";
import { AuthContext, Client, Connection, Server, ServerChannel, Session, SFTPWrapper, utils } from "ssh2";

const { STATUS_CODE } = utils.sftp;

export interface ServerOptions {
  /** A public key that may log in, as in authorized_keys. */
  authorizedKey?: string;
  /** Connections to elsewhere are neither made nor refused, as where a firewall swallows what is sent. Default: false. */
  swallows?: boolean;
  /** Nothing is answered any more once somebody has logged in, as when the host is cut off then. Default: false. */
  cutOff?: boolean;
}

export interface TestServer {
  port: number;
  /** The host key, as in authorized_keys. */
  hostKey: string;
  /** Every command that was run. */
  commands: string[];
  /** How many clients connected, and how many logged in; how many there are now. */
  connections: { opened: number; loggedIn: number; readonly open: number };
  close(): Promise<void>;
}

/** A key pair. Not ed25519: ssh2 encodes one such key in 300 in a way that it can't read itself ("Malformed OpenSSH private key"). */
export const sshKey = (encryption: { passphrase?: string; cipher?: string; rounds?: number } = {}) =>
  utils.generateKeyPairSync("ecdsa", { bits: 256, ...encryption });

/** Runs commands with /bin/sh on this machine; `at once: exit N` by itself. */
export async function startSshServer(options: ServerOptions = {}): Promise<TestServer> {
  const key = sshKey();
  const commands: string[] = [];
  const open = new Set<Connection>();
  const connections = {
    opened: 0,
    loggedIn: 0,
    get open() {
      return open.size;
    },
  };
  const server = new Server({ hostKeys: [key.private] }, (client) => {
    connections.opened++;
    open.add(client);
    (client as unknown as Client).setNoDelay(); // Missing from the types.
    client.on("close", () => open.delete(client));
    client.on("error", () => undefined); // Clients that refuse our host key hang up.
    client.on("authentication", (context) => (isAllowed(context, options) ? context.accept() : context.reject()));
    client.on("ready", () => {
      connections.loggedIn++;
      if (options.cutOff) socketOf(client).removeAllListeners("data").pause();
    });
    client.on("session", (accept) => serveSession(accept(), commands));
    client.on("tcpip", (accept, _reject, { destIP, destPort }) => {
      if (options.swallows) return;
      const channel = accept();
      const socket = connect(destPort, destIP);
      channel.pipe(socket).pipe(channel);
      socket.on("error", () => channel.end());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    hostKey: key.public,
    commands,
    connections,
    async close() {
      for (const client of open) {
        if (options.cutOff) socketOf(client).destroy();
        else client.end();
      }
      server.close();
      await once(server, "close");
    },
  };
}

/** Missing from the types. */
const socketOf = (client: Connection) => (client as unknown as { _sock: Socket })._sock;

function isAllowed(context: AuthContext, { authorizedKey }: ServerOptions): boolean {
  if (context.method === "publickey" && authorizedKey) {
    const allowed = utils.parseKey(authorizedKey);
    return !(allowed instanceof Error) && allowed.getPublicSSH().equals(context.key.data);
  }
  return context.method === "none" && authorizedKey === undefined;
}

function serveSession(session: Session, commands: string[]): void {
  session.on("exec", (accept, _reject, { command }) => {
    commands.push(command);
    const [, status] = /^at once: exit (\d+)$/.exec(command) ?? [];
    if (status === undefined) return execute(accept(), command);
    // The answer to the request, the exit status and the end reach the client in one piece.
    const channel = accept();
    channel.exit(Number(status));
    channel.end();
  });
  session.on("sftp", (accept) => serveFiles(accept()));
}

function execute(channel: ServerChannel, command: string): void {
  const child = spawn("/bin/sh", ["-c", command], { env: { PATH: process.env.PATH } });
  child.stdin.on("error", () => undefined); // A command that does not read its input.
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("close", (status, signal) => {
    if (signal) channel.exit(signal.slice(3), false, "");
    else channel.exit(status ?? 0);
    channel.end();
  });
}

/** As much of SFTP as an upload needs, on this machine's own files. */
function serveFiles(sftp: SFTPWrapper): void {
  const status = (id: number, action: () => void) => {
    try {
      action();
      sftp.status(id, STATUS_CODE.OK);
    } catch {
      sftp.status(id, STATUS_CODE.FAILURE);
    }
  };
  const descriptor = (handle: Buffer) => handle.readUInt32BE();
  sftp.on("OPEN", (id, path) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(openSync(path, "w"));
    sftp.handle(id, handle);
  });
  sftp.on("WRITE", (id, handle, offset, data) =>
    status(id, () => void writeSync(descriptor(handle), data, 0, data.length, offset)),
  );
  sftp.on("FSETSTAT", (id) => status(id, () => undefined));
  sftp.on("CLOSE", (id, handle) => status(id, () => closeSync(descriptor(handle))));
}

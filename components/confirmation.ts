import { setTimeout as delay } from "node:timers/promises";
import type * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import { Client, type ConnectConfig } from "ssh2";
import { confirmCommand, stateDigest } from "../mesh/hostState";

type Connection = pulumi.Unwrap<types.input.remote.ConnectionArgs>;
type Endpoint = Omit<Connection, "proxy">;

/** Logs in, sees to it that the host key is the expected one, and gives the session to `use`. */
async function withSession<T>(
  endpoint: Endpoint,
  transport: ConnectConfig["sock"],
  use: (client: Client) => Promise<T>,
) {
  const client = new Client();
  const expected = endpoint.hostKey?.split(" ")[1];
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve).once("error", reject);
      client.connect({
        host: endpoint.host,
        port: endpoint.port ?? 22,
        username: endpoint.user ?? "root",
        privateKey: endpoint.privateKey,
        agent: endpoint.privateKey === undefined ? process.env.SSH_AUTH_SOCK : undefined,
        sock: transport,
        readyTimeout: 10_000,
        ...(expected !== undefined && {
          algorithms: { serverHostKey: [endpoint.hostKey!.split(" ")[0] as "ssh-ed25519"] },
          hostVerifier: (key: Buffer) => key.toString("base64") === expected,
        }),
      });
    });
    return await use(client);
  } finally {
    client.on("error", () => undefined).end();
  }
}

/** Runs a command in a session of its own and tells whether it succeeded. */
function succeeds(client: Client, command: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      channel
        .on("exit", (status: number | null) => resolve(status === 0))
        .on("close", () => resolve(false))
        .resume();
    });
  });
}

function confirmOnce({ proxy, ...endpoint }: Connection, command: string): Promise<boolean> {
  if (proxy === undefined) return withSession(endpoint, undefined, (client) => succeeds(client, command));
  return withSession(proxy as Endpoint, undefined, async (bastion) => {
    const transport = await new Promise<ConnectConfig["sock"]>((resolve, reject) => {
      bastion.forwardOut("127.0.0.1", 0, endpoint.host, endpoint.port ?? 22, (error, channel) =>
        error ? reject(error) : resolve(channel),
      );
    });
    return withSession(endpoint, transport, (client) => succeeds(client, command));
  });
}

/**
 * While a join is under way, tries to log in to the host anew, every other second, to say that this still works: the
 * join waits for it after the sidecar has started and takes its change back if nobody comes (host/commit.sh). The
 * join's own session proves nothing, as the kernel lets an established connection go on; and it can't be a resource of
 * its own, as a join that was not confirmed must itself fail, so that the next `pulumi up` repeats it.
 *
 * @param joined tells whether the join has ended; nothing is dialled when it does so at once, having nothing to do
 * @param interval milliseconds between two tries
 */
export async function confirmWhileJoining(
  connection: Connection,
  state: string,
  joined: () => boolean,
  interval = 2000,
): Promise<void> {
  const command = confirmCommand(stateDigest(state));
  for (;;) {
    await delay(interval, undefined, { ref: false });
    if (joined()) return;
    // A host that can't be reached is what the join itself reports.
    if (await confirmOnce(connection, command).catch(() => false)) return;
  }
}

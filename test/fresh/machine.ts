/** Machines to type things into: a disk of a stock Debian, started by QEMU or as user-mode Linux. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { artifactPath } from "../../lab/artifacts";
import { run, until, type Log, type RunOptions } from "../../lab/run";
import { disk, kernel, type Kind } from "./recipes";

/** MiB: the README's six GiB, and what the kernel takes of them. */
export const memory = 6656;

/** Nothing came from the machine's kernel: there is no hardware to carry it. */
export class NoKernel extends Error {}

export interface Machine {
  /** A command that runs the shell commands of its last argument there, as root. */
  readonly ssh: string[];
  /** Runs shell commands there. Returns their stdout. */
  type(commands: string, options?: RunOptions): Promise<string>;
  /** Ends it, without ceremony. */
  end(): Promise<void>;
}

/** How many seconds until the kernel's first line, and until a login. */
const patience = { kvm: [20, 120], uml: [20, 300], emulated: [300, 1800] } as const;

/**
 * Starts a machine and waits until it can be logged in to. It ends with this process, however that ends.
 * @param home an empty folder, for its disk and sockets
 * @param data the image of a second disk
 * @throws NoKernel, or with the end of its console if it does not come up
 */
export async function start(kind: Kind, suite: string, home: string, data: string, consoleLog: Log): Promise<Machine> {
  const stock = artifactPath(disk(suite, kind));
  const root = join(home, "root.img");
  await run(["cp", "--sparse=always", join(stock, "root.img"), root]);
  // The artifact may be replaced while the machine runs.
  const key = join(home, "key");
  await run(["cp", join(stock, "key"), key]);
  const port = await freePort();
  const command = kind === "uml" ? uml(home, root, data) : qemu(kind, stock, port, root, data);
  const stop = new AbortController();
  let end: Error | undefined;
  const ended = run(command, { log: consoleLog, contained: true, signal: stop.signal }).then(
    () => (end = new Error("the machine has powered off")),
    (error: Error) => (end = error),
  );
  const argv = ssh(key, port);
  const machine: Machine = {
    ssh: argv,
    type: (commands, options) => run([...argv, commands], options),
    async end() {
      stop.abort();
      await ended;
    },
  };
  const [first, last] = patience[kind];
  let answer = "";
  const reached = async (attempt: () => Promise<boolean>) => {
    if (end) throw end;
    return attempt().catch((error: Error) => void (answer = error.message));
  };
  try {
    const hasKernel = () => reached(() => Promise.resolve(/Linux version/.test(consoleLog.tail(1000))));
    await until("its kernel's first line", first, hasKernel).catch((error: Error) => {
      throw new NoKernel(error.message);
    });
    // Served when the machine's network is up.
    if (kind === "uml")
      await until(
        "its network",
        last,
        () => reached(() => forward(join(home, "network.api"), port)),
        () => answer,
      );
    const login = () => reached(() => machine.type("true", { timeout: 60 }).then(() => true));
    await until("a login", last, login, () => answer);
  } catch (error) {
    await machine.end();
    throw error;
  }
  return machine;
}

function qemu(kind: Kind, stock: string, port: number, ...disks: string[]): string[] {
  return [
    ...["qemu-system-x86_64", "-m", String(memory), "-smp", String(availableParallelism())],
    ...(kind === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg,thread=multi", "-cpu", "max"]),
    ...["-kernel", join(stock, "vmlinuz"), "-initrd", join(stock, "initrd")],
    ...["-append", "root=LABEL=root rw console=ttyS0"],
    ...disks.flatMap((image) => ["-drive", `file=${image},format=raw,if=virtio,cache=unsafe`]),
    ...["-nic", `user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"],
  ];
}

function uml(home: string, ...disks: string[]): string[] {
  const linux = [
    ...[join(artifactPath(kernel), "linux"), "root=/dev/ubda", "rw", "seccomp=auto"],
    ...[`mem=${memory}M`, `ncpus=${Math.min(4, availableParallelism())}`],
    ...disks.map((image, index) => `ubd${index}=${image}`),
    `vec0:transport=bess,dst=${join(home, "network")},depth=128,gro=1`,
    ...["con=null", "con0=null,fd:1", "ssl=null", "umid=fresh", `uml_dir=${home}/`],
  ];
  // Both in one shell: it is the first process of its PID namespace, so both end with it. UML's memory is a file.
  const script = `slirp4netns --target-type=bess --disable-host-loopback --api-socket="$1.api" "$1" &
    until [ -S "$1" ]; do kill -0 $!; sleep 0.1; done
    shift
    TMPDIR=/dev/shm "$@" </dev/null`;
  return ["bash", "-euc", script, "uml", join(home, "network"), ...linux];
}

/** Has slirp4netns forward a port of this machine's loopback to the inner machine's sshd. */
async function forward(api: string, port: number): Promise<boolean> {
  const execute = { proto: "tcp", host_addr: "127.0.0.1", host_port: port, guest_addr: "10.0.2.15", guest_port: 22 };
  const socket = connect(api).end(JSON.stringify({ execute: "add_hostfwd", arguments: execute }));
  let answer = "";
  socket.on("data", (data: Buffer) => (answer += data.toString()));
  await once(socket, "close");
  return answer.includes('"id"');
}

/** A port of the loopback that nothing uses. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function ssh(key: string, port: number): string[] {
  const options = [
    ...["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"],
    ...["IdentitiesOnly=yes", "ConnectTimeout=20", "ServerAliveInterval=30", "ServerAliveCountMax=10"],
  ];
  return [
    "ssh",
    "-F",
    "none",
    "-i",
    key,
    "-p",
    String(port),
    ...options.flatMap((option) => ["-o", option]),
    "root@127.0.0.1",
  ];
}

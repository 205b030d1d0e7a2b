import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utils } from "ssh2";
import { sshKey, startSshServer, TestServer } from "../../test/support/sshServer";
import { command } from "../command/command";
import { copy } from "../command/copy";
import { commandProvider } from "../command/main";
import { inAnyOrder } from "../command/run";
import { CheckError } from "../errors";
import type { ResourceType } from "../provider";
import { isSecret, Obj, plain, secret, UNKNOWN } from "../values";
import { about, checkRequest, createRequest, diffRequest, Logged } from "./support";

const ASSET = { "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17" };
const KEY = sshKey();

describe("stand-ins: command", () => {
  let server: TestServer;
  let directory: string;
  let agent: string | undefined;
  before(async () => {
    agent = process.env.SSH_AUTH_SOCK;
    delete process.env.SSH_AUTH_SOCK;
    server = await startSshServer({ authorizedKey: KEY.public });
    directory = mkdtempSync(join(tmpdir(), "command-test-"));
  });
  after(async () => {
    if (agent !== undefined) process.env.SSH_AUTH_SOCK = agent;
    await server.close();
    rmSync(directory, { recursive: true });
  });

  const connection = (more: Obj = {}): Obj => ({
    host: "127.0.0.1",
    port: server.port,
    user: "someone",
    privateKey: KEY.private,
    dialErrorLimit: 0,
    ...more,
  });

  /** The inputs of a command, or with other fields of a copy. */
  const withConnection = (inputs: Obj): Obj => ({
    connection: connection(),
    ...("source" in inputs ? {} : { addPreviousOutputInEnv: false }),
    ...inputs,
  });

  /** Checks and creates as the engine does. */
  async function create(inputs: Obj, options: Partial<Options> = {}): Promise<Obj> {
    const { type = command, logged, signal } = options;
    const checked = await type.check(checkRequest(withConnection(inputs)));
    return (await type.create({ ...createRequest(checked), ...about(logged, signal) })).state;
  }

  interface Options {
    type: ResourceType;
    logged: Logged[];
    signal: AbortSignal;
  }

  const change = async (type: ResourceType, state: Obj, inputs: Obj, preview = false) =>
    type.update({
      ...createRequest(await type.check(checkRequest(withConnection(inputs))), preview),
      state,
    });

  describe("remote.Command: inputs", () => {
    it("fills in the defaults of connection and proxy, and makes them secret", async () => {
      const check = async (connection: unknown) =>
        (await command.check(checkRequest(withConnection({ connection })))).connection;
      const found = await check({ host: "h", proxy: { host: "p", port: 2222 } });
      assert.ok(isSecret(found));
      const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
      assert.deepEqual(plain(found), { ...defaults, host: "h", proxy: { ...defaults, host: "p", port: 2222 } });
      assert.deepEqual(plain(await check(UNKNOWN)), UNKNOWN);
    });

    it("keeps the mark of secrets inside of the connection", async () => {
      const proxy = { host: "p", privateKey: secret("k2") };
      for (const given of [
        { host: "h", privateKey: secret("k"), proxy },
        secret({ host: "h", privateKey: secret("k"), proxy }),
      ]) {
        const { connection } = await command.check(checkRequest(withConnection({ connection: given })));
        const { privateKey, proxy: bastion } = (connection as { value: { privateKey: unknown; proxy: Obj } }).value;
        assert.deepEqual([privateKey, bastion.privateKey], [secret("k"), secret("k2")]);
      }
    });

    it("refuses what it does not know", () => {
      const refused = [
        { connection: { host: "h", password: "x" } },
        { connection: { user: "x" } },
        { connection: undefined },
        { update: "x" },
        { triggers: [1] },
        { addPreviousOutputInEnv: undefined },
        { addPreviousOutputInEnv: true },
      ];
      for (const news of refused)
        assert.throws(() => command.check(checkRequest(withConnection(news))), CheckError, JSON.stringify(news));
      assert.equal(commandProvider.resource("command:local:Run"), undefined);
    });

    it("is updated in place, whatever changes; paths are deep", async () => {
      const inputs = { connection: secret({ host: "a" }), create: "c" };
      const diff = async (news: Obj) => {
        const { changes, replaces } = await command.diff(diffRequest(inputs, { ...inputs, ...news }));
        return [[...changes.keys()], replaces];
      };
      assert.deepEqual(await diff({ connection: secret({ host: "b" }) }), [["connection.host"], undefined]);
      assert.deepEqual(await diff({ create: "d", stdin: "s" }), [["create", "stdin"], undefined]);
      assert.deepEqual(await diff({}), [[], undefined]);
    });

    it("contacts no host in a preview", async () => {
      const { opened } = server.connections;
      const inputs = await command.check(checkRequest(withConnection({ create: "echo x" })));
      const created = await command.create(createRequest(inputs, true));
      assert.deepEqual([created.id, created.state.stdout, created.state.stderr], ["", UNKNOWN, UNKNOWN]);
      const state = { ...inputs, stdout: "x", stderr: "" };
      assert.equal((await change(command, state, { create: "echo y" }, true)).stdout, UNKNOWN);
      // As in pulumi-go-provider, an input that was not there before leaves the outputs known.
      assert.equal((await change(command, state, { create: "echo x", stdin: "s" }, true)).stdout, "x");
      assert.equal(server.connections.opened, opened);
    });
  });

  describe("remote.Command: runs", () => {
    it("gives the output without the last newline", async () => {
      const { stdout, stderr } = await create({ create: "echo out; echo; echo err >&2" });
      assert.deepEqual([stdout, stderr], ["out\n", "err"]);
    });

    it("sees the exit status of a command that ends at once", async () => {
      assert.equal((await create({ create: "at once: exit 0" })).stdout, "");
      await assert.rejects(create({ create: "at once: exit 3" }), /^Error: Process exited with status 3: /);
    });

    it("keeps secrets secret, and nothing secret in plain outputs", async () => {
      const state = await create({ create: "cat", stdin: secret("from stdin") });
      assert.ok(isSecret(state.connection) && isSecret(state.stdin));
      const { stdin, connection, ...public_ } = state;
      assert.ok(stdin && connection);
      assert.ok(!JSON.stringify({ ...public_, stdout: "" }).match(/PRIVATE KEY|from stdin/));
    });

    it("sends the whole input and its end, to a command that reads it and to one that does not", async () => {
      const stdin = "x".repeat(3_000_000);
      assert.equal((await create({ create: "wc -c", stdin })).stdout, String(stdin.length));
      assert.equal((await create({ create: "cat | wc -c" })).stdout, "0");
      assert.equal((await create({ create: "exec <&-; echo done", stdin })).stdout, "done");
    });

    it("fails with status, command and output", async () => {
      await assert.rejects(create({ create: "echo told; echo err >&2; exit 7" }), (error: Error) => {
        assert.match(error.message, /^Process exited with status 7: running "echo told; echo err >&2; exit 7":\n/);
        assert.ok(error.message.includes("told\n") && error.message.includes("err\n"));
        return true;
      });
      await assert.rejects(
        create({ create: "kill -TERM $$" }),
        /^Error: Process exited with status 143 from signal TERM: /,
      );
    });

    it("tells what a failed command said in any order of its two streams", () => {
      const told = [0.1, 0.9].map((chance) => inAnyOrder("out\n", "err\n", chance));
      assert.deepEqual(told, ["out\nerr\n", "err\nout\n"]);
    });

    it("logs output lines while the command runs", async () => {
      const logged: Logged[] = [];
      const marker = join(directory, "go-on");
      const running = create(
        { create: `echo first; while [ ! -e ${marker} ]; do sleep 0.01; done; echo last >&2` },
        { logged },
      );
      while (!logged.length) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(logged, [{ severity: "info#status", message: "first" }]);
      writeFileSync(marker, "");
      await running;
      assert.deepEqual(
        logged.map(({ message }) => message),
        ["first", "last"],
      );
    });

    it("runs create again at an update", async () => {
      const first = await create({ create: "echo one" });
      assert.equal((await change(command, first, { create: "echo two" })).stdout, "two");
      assert.equal((await change(command, first, {})).stdout, "one");
    });

    it("deletes with the connection and the input of the state", async () => {
      const file = join(directory, "deleted");
      const state = await create({ create: "true", delete: `cat > ${file}`, stdin: secret("the input") });
      await command.delete({ ...about(), state });
      assert.equal(readFileSync(file, "utf8"), "the input");
      const { opened } = server.connections;
      await command.delete({ ...about(), state: { ...state, delete: undefined } });
      assert.equal(server.connections.opened, opened);
    });

    it("believes the state at a refresh", async () => {
      const resource = { id: "id", inputs: { create: "x" }, state: { stdout: "x" } };
      assert.deepEqual(await command.read({ ...about(), ...resource }), resource);
    });

    it("lets a running command end when the update is cancelled", async () => {
      const cancel = new AbortController();
      const marker = join(directory, "cancelled");
      const inputs = await command.check(
        checkRequest(withConnection({ create: `echo on; while [ ! -e ${marker} ]; do sleep 0.01; done; echo off` })),
      );
      const running = command.create({
        ...createRequest(inputs),
        signal: cancel.signal,
        log(_, message) {
          if (message !== "on") return;
          cancel.abort(new Error("context canceled"));
          writeFileSync(marker, "");
        },
      });
      assert.equal((await running).state.stdout, "on\noff");
    });
  });

  describe("connections fail as with Go's ssh", () => {
    const failure = (more: Obj, request = {}) =>
      create({ create: "echo never", connection: connection(more) }, request).then(
        () => assert.fail("should fail"),
        (error: Error) => error.message,
      );
    const unauthenticated = (methods: string) =>
      "after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, " +
      `attempted methods [${methods}], no supported methods remain`;

    it("accepts exactly the given host key, and sends nothing to another server", async () => {
      const state = await create({ create: "echo ok", connection: connection({ hostKey: server.hostKey }) });
      assert.equal(state.stdout, "ok");
      const { loggedIn } = server.connections;
      const ran = server.commands.length;
      const mismatch = "after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch";
      assert.equal(await failure({ hostKey: sshKey().public }), mismatch);
      const rsa = utils.generateKeyPairSync("rsa", { bits: 2048 }).public;
      assert.match(await failure({ hostKey: rsa }), /handshake failed: ssh: no common algorithm for host key$/);
      assert.match(await failure({ hostKey: "nonsense" }), /^failed to parse host key/);
      assert.deepEqual([server.connections.loggedIn, server.commands.length], [loggedIn, ran]);
    });

    it("says which methods did not let it in", async () => {
      assert.equal(await failure({ privateKey: sshKey().private }), unauthenticated("none publickey"));
      assert.equal(await failure({ privateKey: undefined }), unauthenticated("none"));
    });

    it("reads the private key first, and never shows it", async () => {
      assert.equal(await failure({ privateKey: "-----BEGIN hunter2" }), "ssh: no key found");
      const { private: encrypted } = sshKey({ passphrase: "pass", cipher: "aes256-ctr", rounds: 1 });
      assert.equal(await failure({ privateKey: encrypted }), "ssh: this private key is passphrase protected");
    });

    it("dials the agent of SSH_AUTH_SOCK, even if a key is given", async () => {
      const { opened } = server.connections;
      const socket = join(directory, "agent");
      process.env.SSH_AUTH_SOCK = socket;
      try {
        const missing = `dial unix ${socket}: connect: no such file or directory`;
        assert.equal(await failure({}), missing);
        const proxied = await failure({ privateKey: undefined, proxy: connection() });
        assert.ok(proxied.endsWith(missing), proxied);
        assert.equal(server.connections.opened, opened);

        const agent = createServer().listen(socket);
        let dialled = 0;
        agent.on("connection", (client) => {
          dialled++;
          client.destroy();
        });
        await once(agent, "listening");
        assert.equal((await create({ create: "echo in" })).stdout, "in");
        assert.equal(dialled, 1);
        agent.close();
      } finally {
        delete process.env.SSH_AUTH_SOCK;
      }
    });

    it("goes through a proxy", async () => {
      const key = sshKey();
      const bastion = await startSshServer({ authorizedKey: key.public });
      const proxy = connection({ port: bastion.port, privateKey: key.private, hostKey: bastion.hostKey });
      assert.equal((await create({ create: "echo far", connection: connection({ proxy }) })).stdout, "far");
      assert.deepEqual([bastion.connections.loggedIn, bastion.commands], [1, []]);
      const wrong = await failure({ proxy: { ...proxy, privateKey: KEY.private } });
      assert.equal(wrong, `proxy: ${unauthenticated("none publickey")}`);
      await bastion.close();
    });

    it("tries again until the machine answers, and says so", async () => {
      const late = await startSshServer();
      const { port } = late;
      await late.close();
      const logged: Logged[] = [];
      const message = await failure({ port, dialErrorLimit: 2 }, { logged });
      assert.equal(message, `after 2 failed attempts: dial tcp 127.0.0.1:${port}: connect: connection refused`);
      assert.deepEqual(
        logged.map(({ message }) => message),
        ["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"],
      );
    });

    it("stops trying when the update is cancelled", async () => {
      const cancel = new AbortController();
      const refusing = await startSshServer();
      const { port } = refusing;
      await refusing.close();
      const running = failure({ port, dialErrorLimit: -1 }, { signal: cancel.signal });
      cancel.abort(new Error("context canceled"));
      assert.equal(await running, "context canceled");
    });

    it("tells of names that do not resolve and servers that hang up", async () => {
      assert.match(
        await failure({ host: "no-such-host.invalid" }),
        /dial tcp: lookup no-such-host\.invalid: no such host$/,
      );
      const rude = createServer((client) => client.end()).listen(0, "127.0.0.1");
      await once(rude, "listening");
      const { port } = rude.address() as { port: number };
      assert.equal(await failure({ port }), "after 0 failed attempts: ssh: handshake failed: EOF");
      rude.close();
      const ruder = createServer((client) => client.once("data", () => client.resetAndDestroy())).listen(
        0,
        "127.0.0.1",
      );
      await once(ruder, "listening");
      const { port: other } = ruder.address() as { port: number };
      const reset = `127.0.0.1:${other}: read: connection reset by peer`;
      assert.match(
        await failure({ port: other }),
        new RegExp(`^after 0 failed attempts: ssh: handshake failed: read tcp 127\\.0\\.0\\.1:\\d+->${reset}$`),
      );
      ruder.close();
    });
  });

  describe("remote.CopyToRemote", () => {
    const source = (name: string, content: string): Obj => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return { ...ASSET, path, hash: content };
    };

    it("copies a file, and again only for another content or path", async () => {
      const remotePath = join(directory, "copied");
      const first = source("first", "1");
      const state = await create({ source: first, remotePath }, { type: copy });
      assert.equal(readFileSync(remotePath, "utf8"), "1");
      writeFileSync(remotePath, "changed on the machine");
      await change(copy, state, { source: first, remotePath });
      assert.equal(readFileSync(remotePath, "utf8"), "changed on the machine");
      await change(copy, state, { source: source("second", "2"), remotePath });
      assert.equal(readFileSync(remotePath, "utf8"), "2");
    });

    it("fails with both paths", async () => {
      const gone = { source: { ...ASSET, path: join(directory, "gone"), hash: "h" }, remotePath: "/x" };
      await assert.rejects(create(gone, { type: copy }), /failed to copy file .*\/gone to remote path \/x: ENOENT/);
    });

    it("refuses what is no file", () => {
      for (const kind of [{ uri: "https://x" }, { text: "x" }]) {
        const news = { connection: connection(), source: { ...ASSET, ...kind }, remotePath: "/x" };
        assert.throws(() => copy.check(checkRequest(news)), CheckError);
      }
      const archive = { [Object.keys(ASSET)[0]!]: "0def7320c3a5731c473e5ecbe6d01bc7", path: directory };
      const news = { connection: connection(), source: archive, remotePath: "/x" };
      assert.throws(() => copy.check(checkRequest(news)), /source: must be of type asset/);
    });
  });
});

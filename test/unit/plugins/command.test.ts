import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utils } from "ssh2";
import { command, commandProvider, copy } from "../../../lab/plugins/command/main";
import { CheckError } from "../../../lab/plugins/errors";
import type { ResourceType } from "../../../lab/plugins/provider";
import { isSecret, Obj, plain, secret, UNKNOWN } from "../../../lab/plugins/values";
import { sshKey, startSshServer, TestServer } from "./sshServer";
import { about, checkRequest, createRequest, diffRequest, Logged } from "./support";

const PASSWORD = "correct horse";
const ASSET = { "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17" };
const ARCHIVE = { "4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7" };

describe("plugins: command", () => {
  let server: TestServer;
  let directory: string;
  before(async () => {
    server = await startSshServer({ password: PASSWORD, acceptEnv: ["COLOUR", "PULUMI_COMMAND_STDOUT"] });
    directory = mkdtempSync(join(tmpdir(), "command-test-"));
  });
  after(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  const connection = (more: Obj = {}): Obj => ({
    host: "127.0.0.1",
    port: server.port,
    user: "someone",
    password: PASSWORD,
    dialErrorLimit: 0,
    ...more,
  });

  /** Checks and creates as the engine does. */
  async function create(inputs: Obj, { type = command, logged = [] as Logged[] } = {}): Promise<Obj> {
    const checked = await type.check(checkRequest({ connection: connection(), ...inputs }));
    return (await type.create({ ...createRequest(checked), ...about(logged) })).state;
  }

  const change = async (type: ResourceType, state: Obj, inputs: Obj, preview = false, logged: Logged[] = []) =>
    type.update({
      ...createRequest(await type.check(checkRequest({ connection: connection(), ...inputs })), preview),
      ...about(logged),
      id: "id",
      oldInputs: state,
      state,
      ignoreChanges: [],
    });

  describe("remote.Command: inputs", () => {
    it("fills in the defaults of connection and proxy, and makes them secret", async () => {
      const inputs = await command.check(checkRequest({ connection: { host: "h", proxy: { host: "p", port: 2222 } } }));
      assert.ok(isSecret(inputs.connection));
      const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
      assert.deepEqual(plain(inputs.connection), {
        ...defaults,
        host: "h",
        proxy: { ...defaults, host: "p", port: 2222 },
      });
      assert.deepEqual(plain((await command.check(checkRequest({ connection: UNKNOWN }))).connection), UNKNOWN);
    });

    it("refuses what it does not know", () => {
      const refused = [
        { connection: { host: "h", bastion: "x" } },
        { connection: { user: "x" } },
        { create: "x" },
        { connection: { host: "h" }, logging: "all" },
      ];
      for (const news of refused)
        assert.throws(() => command.check(checkRequest(news)), CheckError, JSON.stringify(news));
      assert.equal(commandProvider.resource("command:local:Run"), undefined);
    });

    it("is replaced by a changed trigger, updated by anything else; paths are deep", async () => {
      const inputs = {
        connection: secret({ host: "a" }),
        triggers: ["1", secret("2")],
        environment: { X: "1" },
        create: "c",
      };
      const diff = async (news: Obj) => {
        const { changes, replaces } = await command.diff(diffRequest(inputs, { ...inputs, ...news }));
        return [[...changes.keys()], [...replaces!]];
      };
      assert.deepEqual(await diff({ triggers: ["1", secret("3")] }), [["triggers[1]"], ["triggers[1]"]]);
      assert.deepEqual(await diff({ connection: secret({ host: "b" }) }), [["connection.host"], []]);
      assert.deepEqual(await diff({ environment: { X: "2" }, stdin: "s" }), [["environment.X", "stdin"], []]);
      assert.deepEqual(await diff({}), [[], []]);
    });

    it("contacts no host in a preview", async () => {
      const { opened } = server.connections;
      const inputs = await command.check(checkRequest({ connection: connection(), create: "echo x" }));
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
      const state = await create({ create: "cat", stdin: secret("from stdin"), triggers: ["t", secret("deep")] });
      assert.ok(isSecret(state.connection) && isSecret(state.stdin));
      assert.deepEqual(state.triggers, ["t", secret("deep")]);
      const { stdin, connection, triggers, ...public_ } = state;
      assert.ok(stdin && connection && triggers);
      assert.ok(!JSON.stringify({ ...public_, stdout: "" }).match(/correct horse|from stdin|deep/));
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

    it("logs output lines while the command runs, as `logging` says", async () => {
      const logged: Logged[] = [];
      const marker = join(directory, "go-on");
      const running = create(
        { create: `echo first; while [ ! -e ${marker} ]; do sleep 0.01; done; echo last` },
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

      for (const [logging, expected] of [
        ["none", []],
        ["stderr", ["e"]],
        ["stdout", ["o"]],
      ] as const) {
        const some: Logged[] = [];
        assert.equal((await create({ create: "echo o; echo e >&2", logging }, { logged: some })).stdout, "o");
        assert.deepEqual(
          some.map(({ message }) => message),
          expected,
        );
      }
    });

    it("updates with update or else create, with the last output in the environment", async () => {
      const first = await create({ create: "echo one" });
      const created = await change(command, first, { create: "echo again $PULUMI_COMMAND_STDOUT" });
      assert.equal(created.stdout, "again one");
      const updated = await change(command, created, { create: "false", update: "echo two" });
      assert.equal(updated.stdout, "two");
      const off = await change(command, updated, {
        create: "echo [$PULUMI_COMMAND_STDOUT]",
        addPreviousOutputInEnv: false,
      });
      assert.equal(off.stdout, "[]");
    });

    it("runs nothing if the server refuses a variable, but only warns about the last output", async () => {
      assert.equal((await create({ create: "echo $COLOUR", environment: { COLOUR: "red" } })).stdout, "red");
      const ran = server.commands.length;
      const refused = create({ create: "echo never", environment: { COLOUR: "red", FORBIDDEN: "x" } });
      await assert.rejects(refused, /could not set environment variable "FORBIDDEN"/);
      assert.equal(server.commands.length, ran);

      const logged: Logged[] = [];
      const state = { ...(await create({ create: "true" })), stderr: "PULUMI_COMMAND_STDERR is not in acceptEnv" };
      assert.equal((await change(command, state, { create: "echo ran" }, false, logged)).stdout, "ran");
      assert.deepEqual(
        logged.map(({ severity }) => severity),
        ["warning", "info#status"],
      );
    });

    it("deletes with the connection and the input of the state", async () => {
      const file = join(directory, "deleted");
      const state = await create({
        create: "true",
        delete: `cat > ${file}; echo $PULUMI_COMMAND_STDOUT`,
        stdin: secret("the input"),
      });
      await command.delete({ ...about(), id: "id", oldInputs: {}, state, timeout: 0 });
      assert.equal(readFileSync(file, "utf8"), "the input");
      const { opened } = server.connections;
      await command.delete({ ...about(), id: "id", oldInputs: {}, state: { ...state, delete: undefined }, timeout: 0 });
      assert.equal(server.connections.opened, opened);
    });

    it("believes the state at a refresh", async () => {
      const state = { connection: secret({ host: "127.0.0.1" }), stdout: "x" };
      const request = { ...about(), id: "id", inputs: { create: "x" }, state, timeout: 0 };
      assert.deepEqual(await command.read(request), { id: "id", inputs: { create: "x" }, state });
    });

    it("stops a running command when the update is cancelled", async () => {
      const cancel = new AbortController();
      const inputs = await command.check(checkRequest({ connection: connection(), create: "echo on; sleep 60" }));
      const running = command.create({
        ...createRequest(inputs),
        ...about([], cancel.signal),
        log: () => cancel.abort(new Error("cancelled by the user")),
      });
      await assert.rejects(Promise.resolve(running), /cancelled by the user/);
    });
  });

  describe("connections", () => {
    it("accepts exactly the given host key, and sends nothing to another server", async () => {
      assert.equal(
        (await create({ create: "echo ok", connection: connection({ hostKey: server.hostKey }) })).stdout,
        "ok",
      );
      const other = sshKey().public;
      const { loggedIn } = server.connections;
      const ran = server.commands.length;
      const wrong = create({ create: "echo never", connection: connection({ hostKey: other }) });
      await assert.rejects(wrong, /after 0 failed attempts: ssh: Host denied/);
      const rsa = utils.generateKeyPairSync("rsa", { bits: 2048 }).public;
      await assert.rejects(create({ create: "x", connection: connection({ hostKey: rsa }) }), /no matching host key/i);
      await assert.rejects(create({ create: "x", connection: connection({ hostKey: "nonsense" }) }), /parse host key/);
      assert.deepEqual([server.connections.loggedIn, server.commands.length], [loggedIn, ran]);
    });

    it("never shows a password or a key in an error", async () => {
      const wrong = create({ create: "x", connection: connection({ password: "hunter2" }) });
      await assert.rejects(
        wrong,
        (error: Error) => /authentication/.test(error.message) && !/hunter2/.test(error.message),
      );
      const bad = create({ create: "x", connection: connection({ privateKey: "-----BEGIN hunter2" }) });
      await assert.rejects(bad, (error: Error) => /privateKey/.test(error.message) && !/hunter2/.test(error.message));
    });

    it("logs in with a private key, also an encrypted one", async () => {
      const key = sshKey({ passphrase: "pass", cipher: "aes256-ctr", rounds: 1 });
      const keyed = await startSshServer({ authorizedKey: key.public });
      const login = { port: keyed.port, password: undefined, privateKey: key.private, privateKeyPassword: "pass" };
      assert.equal((await create({ create: "echo in", connection: connection(login) })).stdout, "in");
      await keyed.close();
    });

    it("goes through a proxy", async () => {
      const bastion = await startSshServer({ password: "bastion" });
      const proxy = {
        host: "127.0.0.1",
        port: bastion.port,
        password: "bastion",
        dialErrorLimit: 0,
        hostKey: bastion.hostKey,
      };
      assert.equal((await create({ create: "echo far", connection: connection({ proxy }) })).stdout, "far");
      assert.deepEqual([bastion.connections.loggedIn, bastion.commands], [1, []]);
      const wrong = { ...proxy, password: "wrong" };
      await assert.rejects(create({ create: "x", connection: connection({ proxy: wrong }) }), /^Error: proxy: after 0/);
      await bastion.close();
    });

    it("tries again until the machine answers, and says so", async () => {
      const late = await startSshServer();
      const { port } = late;
      await late.close();
      const logged: Logged[] = [];
      const refused = create({ create: "x", connection: connection({ port, dialErrorLimit: 2 }) }, { logged });
      await assert.rejects(refused, /after 2 failed attempts: .*ECONNREFUSED/);
      assert.deepEqual(
        logged.map(({ message }) => message),
        ["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"],
      );
    });
  });

  describe("remote.CopyToRemote", () => {
    const copied = (inputs: Obj) => create(inputs, { type: copy });

    it("copies texts, files and directories", async () => {
      const target = join(directory, "a/b/text");
      await copied({ source: { ...ASSET, text: "hello", hash: "1" }, remotePath: target });
      assert.equal(readFileSync(target, "utf8"), "hello");

      const source = join(directory, "source");
      mkdirSync(join(source, "sub"), { recursive: true });
      writeFileSync(join(source, "sub/file"), "content");
      await copied({
        source: { ...ASSET, path: join(source, "sub/file"), hash: "2" },
        remotePath: join(directory, "a"),
      });
      assert.equal(readFileSync(join(directory, "a/file"), "utf8"), "content", "into a directory that exists");
      await copied({ source: { ...ARCHIVE, path: source, hash: "3" }, remotePath: join(directory, "c") });
      assert.equal(readFileSync(join(directory, "c/source/sub/file"), "utf8"), "content");
      await copied({ source: { ...ARCHIVE, path: `${source}/`, hash: "3" }, remotePath: join(directory, "d") });
      assert.equal(readFileSync(join(directory, "d/sub/file"), "utf8"), "content", "the content of dir/");
      await assert.rejects(copied({ source: { ...ASSET, text: "x" }, remotePath: directory }), /is a directory/);
    });

    it("copies again only for another content or path", async () => {
      const remotePath = join(directory, "again");
      const source = { ...ASSET, text: "1", hash: "h1" };
      const state = await copied({ source, remotePath });
      writeFileSync(remotePath, "changed on the machine");
      await change(copy, state, { source, remotePath });
      assert.equal(readFileSync(remotePath, "utf8"), "changed on the machine");
      await change(copy, state, { source: { ...source, text: "2", hash: "h2" }, remotePath });
      assert.equal(readFileSync(remotePath, "utf8"), "2");
    });

    it("refuses remote assets", () => {
      const news = { connection: connection(), source: { ...ASSET, uri: "https://x" }, remotePath: "/x" };
      assert.throws(() => copy.check(checkRequest(news)), CheckError);
    });
  });
});

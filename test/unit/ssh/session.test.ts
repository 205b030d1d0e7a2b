import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { proveIstiod } from "../../../cli/facts/proof";
import { execa } from "execa";
import type { Client } from "ssh2";
import { forward, loginProblem, run, withSession } from "../../../ssh/session";
import { startSshServer, type TestServer } from "../../support/sshServer";

describe("a connection from the far end of an SSH session", () => {
  const servers: TestServer[] = [];
  const far = async (options: Parameters<typeof startSshServer>[0]) => {
    const server = await startSshServer(options);
    servers.push(server);
    return { host: "127.0.0.1", port: server.port, hostKey: server.hostKey };
  };
  after(() => Promise.all(servers.map((server) => server.close())));

  it("carries what is sent", async () => {
    const server = createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const said = await withSession(await far({}), async (client) => text(await forward(client, "127.0.0.1", port)));
    server.close();
    assert.equal(said, "hello");
  });

  it("is given up where what is sent is swallowed", async () => {
    const waiting = withSession(await far({ swallows: true }), (client) => forward(client, "192.0.2.1", 15012, 50));
    await assert.rejects(waiting, { message: "no connection to 192.0.2.1:15012 within 0.05 s" });
  });

  it("without which istiod can't prove anything, and doctor goes on", async () => {
    const proof = await withSession(await far({ swallows: true }), (client) =>
      proveIstiod(client, { addresses: ["192.0.2.1"], port: 15012, name: "istiod" }, "", 50),
    );
    assert.deepEqual(proof, { untried: "no connection to 192.0.2.1:15012 within 0.05 s" });
  });
});

describe("a session with a host that does not answer", () => {
  const limits = { ready: 300, question: 50, goodbye: 50 };
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

  const serve = async (options: Parameters<typeof startSshServer>[0] = {}) => {
    const server = await startSshServer(options);
    closing.push(() => server.close());
    return { host: "127.0.0.1", port: server.port, hostKey: server.hostKey };
  };
  /** Accepts connections, and says nothing. */
  const mute = async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    });
    return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  };
  const forEver = () => new Promise<never>(() => undefined);

  it("is given up where somebody listens who never speaks, directly or behind a bastion", async () => {
    const silent = await mute();
    const tooLate = /Timed out while waiting for handshake/;
    await assert.rejects(withSession(silent, forEver, { limits }), tooLate);
    await assert.rejects(withSession({ ...silent, proxy: await serve() }, forEver, { limits }), tooLate);
    await assert.rejects(withSession({ ...(await serve()), proxy: silent }, forEver, { limits }), tooLate);
  });

  it("is given up where the host, or its bastion, is cut off after the login, whatever one waits for", async () => {
    const lost = /it does not answer any more: the session was lost/;
    const waiting: ((client: Client) => Promise<unknown>)[] = [
      forEver,
      (client) => run(client, "echo never"),
      (client) => forward(client, "x", 1),
    ];
    for (const wait of waiting) {
      await assert.rejects(withSession(await serve({ cutOff: true }), wait, { limits }), lost);
      const behind = { ...(await serve()), proxy: await serve({ cutOff: true }) };
      await assert.rejects(withSession(behind, wait, { limits }), /the session was lost|no connection to/);
    }
    const cutOff = { ...(await serve({ cutOff: true })), proxy: await serve() };
    await assert.rejects(withSession(cutOff, forEver, { limits }), lost);
  });

  it("does not keep the program once all was said, though the far end never closes", async () => {
    const { host, port } = await serve();
    const through = await halfOpen(port);
    closing.push(through.close);
    const { exitCode, stdout } = await execa("node", ["--import", "tsx", "--eval", SAY_AND_END], {
      env: { HOST: host, PORT: String(through.port) },
      timeout: 20_000,
      reject: false,
    });
    assert.deepEqual([exitCode, stdout], [0, "said"]);
  });

  it("which does confirm nothing is given up too, though nothing asks it questions in the background", async () => {
    const client = withSession(await serve({ cutOff: true }), (session) => run(session, "true", "", { limit: 100 }), {
      background: true,
      limits,
    });
    await assert.rejects(client, /a command did not end within 0\.1 s/);
  });
});

const SAY_AND_END = `
import { run, withSession } from "./ssh/session";
const { HOST: host, PORT: port } = process.env;
withSession({ host: host!, port: Number(port) }, (client) => run(client, "echo said")).then(({ stdout }) => process.stdout.write(stdout));
`;

/** A way to a server that never passes on that one side has closed the connection. */
async function halfOpen(port: number) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const there = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    sockets.push(socket, there);
    socket.pipe(there, { end: false }).pipe(socket, { end: false });
    for (const one of [socket, there]) one.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

describe("a login that is too late", () => {
  it("is told in the same words whether the connection is not there or the host says nothing", async () => {
    const login = { host: "127.0.0.1", port: 1 };
    const server = await startSshServer({ swallows: true });
    const far = { ...login, proxy: { host: "127.0.0.1", port: server.port, hostKey: server.hostKey } };
    const error = await withSession(far, () => Promise.resolve(), { dial: 50 }).catch((reason: Error) => reason);
    await server.close();
    assert.equal(loginProblem(error as Error, far).message, "127.0.0.1:1 does not answer within 0.05 s");
    const silent = Object.assign(new Error("Timed out while waiting for handshake"), { level: "client-timeout" });
    assert.equal(loginProblem(silent, login).message, "127.0.0.1:1 does not answer within 10 s");
  });
});

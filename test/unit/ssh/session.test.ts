import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { proveIstiod } from "../../../cli/facts/proof";
import { forward, withSession } from "../../../ssh/session";
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
      proveIstiod(client, "192.0.2.1:15012", "", 50),
    );
    assert.deepEqual(proof, { untried: "no connection to 192.0.2.1:15012 within 0.05 s" });
  });
});

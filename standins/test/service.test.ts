import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { diffPaths } from "../diff";
import { CheckError } from "../errors";
import { listen, unary } from "../grpc";
import type { Provider, ResourceType } from "../provider";
import { startProvider } from "../serve";
import { fromStruct, secret, toStruct } from "../values";

const thing: ResourceType = {
  check({ news }) {
    if (news.bad) throw new CheckError([{ property: "bad", reason: "is bad" }]);
    return news;
  },
  diff({ oldInputs, news }) {
    const changes = diffPaths(oldInputs, news);
    return { changes, replaces: [...changes.keys()].filter((path) => path.startsWith("fixed")) };
  },
  create({ inputs, log, preview }) {
    if (inputs.fail) throw new Error("cannot");
    if (inputs.talk) for (const line of ["one", "two", "three"]) log("info#status", line);
    return { id: preview ? "" : "id-1", state: inputs };
  },
  read: ({ id, inputs, state }) => ({ id, inputs, state }),
  update: ({ inputs }) => inputs,
  delete({ signal }) {
    signal.throwIfAborted();
  },
};

const provider: Provider = {
  name: "test",
  version: "1.2.3",
  resource: (type) => (type === "test:index:Thing" ? thing : undefined),
};

const URN = "urn:pulumi:s::p::test:index:Thing::name";

/** Calls a method as the engine does. */
async function connect(engine?: string) {
  const running = await startProvider(provider, engine);
  const client = new ResourceProviderClient(`127.0.0.1:${running.port}`, grpc.credentials.createInsecure());
  const methods = client as unknown as Record<string, (request: unknown, callback: unknown) => void>;
  const call = <T>(method: string, request: unknown): Promise<T> =>
    promisify<unknown, T>(methods[method]!.bind(client) as never)(request);
  return {
    call,
    close() {
      client.close();
      running.close();
    },
  };
}

const named = <T extends { setUrn(u: string): T; setType(t: string): T; setName(n: string): T }>(request: T): T =>
  request.setUrn(URN).setType("test:index:Thing").setName("name");

describe("stand-ins: provider protocol", () => {
  let plugin: Awaited<ReturnType<typeof connect>>;
  before(async () => (plugin = await connect()));
  after(() => plugin.close());

  it("says who it is, and takes secrets and previews", async () => {
    const fresh = await connect();
    const handshake = await fresh.call<proto.ProviderHandshakeResponse>(
      "handshake",
      new proto.ProviderHandshakeRequest().setEngineAddress("127.0.0.1:1"),
    );
    assert.ok(handshake.getAcceptSecrets());
    fresh.close();
    const configured = await plugin.call<proto.ConfigureResponse>("configure", new proto.ConfigureRequest());
    assert.ok(configured.getAcceptsecrets() && configured.getSupportspreview());
    const schema = await plugin.call<proto.GetSchemaResponse>("getSchema", new proto.GetSchemaRequest());
    assert.deepEqual(JSON.parse(schema.getSchema()), { name: "test", version: "1.2.3" });
  });

  it("refuses options, types, functions and methods that it does not have", async () => {
    const config = new proto.CheckRequest().setNews(toStruct({ version: "1.2.3", region: "x" }));
    const response = await plugin.call<proto.CheckResponse>("checkConfig", config);
    assert.deepEqual(
      response.getFailuresList().map((failure) => failure.getProperty()),
      ["region"],
    );
    const unimplemented = { code: grpc.status.UNIMPLEMENTED };
    const other = named(new proto.CheckRequest()).setType("test:index:Other");
    await assert.rejects(plugin.call("check", other), {
      ...unimplemented,
      details: /test 1\.2\.3 .* test:index:Other/,
    });
    await assert.rejects(plugin.call("invoke", new proto.InvokeRequest().setTok("test:f")), unimplemented);
    await assert.rejects(plugin.call("construct", new proto.ConstructRequest()), unimplemented);
  });

  it("gives failed checks as a list, by property", async () => {
    const request = named(new proto.CheckRequest()).setNews(toStruct({ bad: 1 }));
    const [failure, ...rest] = (await plugin.call<proto.CheckResponse>("check", request)).getFailuresList();
    assert.deepEqual([failure!.getProperty(), failure!.getReason(), rest], ["bad", "is bad", []]);
  });

  it("answers a diff in detail", async () => {
    const request = named(new proto.DiffRequest())
      .setOldInputs(toStruct({ fixed: { a: 1 }, free: 1, same: 1 }))
      .setNews(toStruct({ fixed: { a: 2 }, same: 1 }));
    const diff = await plugin.call<proto.DiffResponse>("diff", request);
    const { UPDATE_REPLACE, DELETE } = proto.PropertyDiff.Kind;
    assert.equal(diff.getChanges(), proto.DiffResponse.DiffChanges.DIFF_SOME);
    assert.ok(diff.getHasdetaileddiff());
    assert.deepEqual(diff.getReplacesList(), ["fixed.a"]);
    assert.deepEqual(diff.getDiffsList(), ["fixed", "free"]);
    assert.deepEqual(
      diff
        .getDetaileddiffMap()
        .getEntryList()
        .map(([path]) => [path, diff.getDetaileddiffMap().get(path)!.getKind()]),
      [
        ["fixed.a", UPDATE_REPLACE],
        ["free", DELETE],
      ],
    );

    request.setNews(request.getOldInputs());
    const none = await plugin.call<proto.DiffResponse>("diff", request);
    assert.equal(none.getChanges(), proto.DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("keeps secrets on the way", async () => {
    const request = named(new proto.CreateRequest()).setProperties(toStruct({ key: secret({ inside: secret("k") }) }));
    const created = await plugin.call<proto.CreateResponse>("create", request);
    assert.equal(created.getId(), "id-1");
    assert.deepEqual(fromStruct(created.getProperties()), { key: secret({ inside: secret("k") }) });
  });

  it("refuses imports, of which it knows nothing", async () => {
    const request = named(new proto.ReadRequest()).setId("id-1");
    await assert.rejects(plugin.call("read", request), { code: grpc.status.UNIMPLEMENTED });
  });

  it("fails an operation with the error's message", async () => {
    const request = named(new proto.CreateRequest()).setProperties(toStruct({ fail: true }));
    await assert.rejects(plugin.call("create", request), { code: grpc.status.UNKNOWN, details: "cannot" });
  });

  it("aborts operations when the engine cancels", async () => {
    const doomed = await connect();
    await doomed.call("cancel", new Empty());
    await assert.rejects(doomed.call("delete", named(new proto.DeleteRequest())), {
      details: "context canceled",
    });
    doomed.close();
  });

  it("delivers messages in order, before the operation ends", async () => {
    const received: string[] = [];
    const log = unary(async (request: LogRequest) => {
      if (request.getMessage() === "one") await delay(20); // The others would overtake it if they could.
      received.push(`${request.getUrn()} ${request.getMessage()} ${request.getEphemeral()}`);
      return new Empty();
    });
    const engine = await listen(EngineService, { log });
    const logging = await connect(`127.0.0.1:${engine.port}`);
    await logging.call("create", named(new proto.CreateRequest()).setProperties(toStruct({ talk: true })));
    assert.deepEqual(received, [`${URN} one true`, `${URN} two true`, `${URN} three true`]);
    logging.close();
    engine.server.forceShutdown();
  });
});

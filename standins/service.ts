/** The provider protocol (pulumirpc.ResourceProvider) in terms of `Provider` and `ResourceType`. */
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { diffPaths, topLevel } from "./diff";
import type { EngineLog } from "./engine";
import { CheckError, NotImplemented } from "./errors";
import { unary } from "./grpc";
import type { DiffResult, Provider, ResourceRequest, ResourceType } from "./provider";
import { fromStruct, Obj, toStruct } from "./values";

/** The handlers for one provider. Methods that are missing here are refused by the gRPC server as not implemented. */
export function resourceProvider(provider: Provider, engine: EngineLog): Partial<IResourceProviderServer> {
  const cancelled = new AbortController();
  const standIn = `the stand-in for the Pulumi provider ${provider.name} ${provider.version}`;

  /** Messages logged during an operation must arrive before its end. */
  const answer = <Request, Response>(handle: (request: Request) => Response | Promise<Response>) =>
    unary(handle, () => engine.flush());

  function resourceType(type: string): ResourceType {
    const found = provider.resource(type);
    if (!found) throw new NotImplemented(`${standIn} does not implement the resource type ${type}`);
    return found;
  }

  /** The part that all requests about a resource share. */
  function about(request: { getUrn(): string; getName(): string }): ResourceRequest {
    const urn = request.getUrn();
    return {
      name: request.getName(),
      log: (severity, message) => engine.log(urn, severity, message),
      signal: cancelled.signal,
    };
  }

  function refuseOptions(news: Obj): Obj {
    // The engine adds these two itself.
    const options = Object.keys(news).filter((key) => key !== "version" && key !== "__internal");
    if (options.length === 0) return news;
    throw new CheckError(options.map((property) => ({ property, reason: `${standIn} has no such option` })));
  }

  return {
    handshake: answer((request: proto.ProviderHandshakeRequest) => {
      engine.connect(request.getEngineAddress());
      return new proto.ProviderHandshakeResponse().setAcceptSecrets(true);
    }),

    attach: answer((request) => {
      engine.connect(request.getAddress());
      return new Empty();
    }),

    cancel: answer(() => {
      cancelled.abort(new Error("context canceled"));
      return new Empty();
    }),

    getPluginInfo: answer(() => new PluginInfo().setVersion(provider.version)),

    // The smallest valid schema: the SDKs were generated already, so nobody needs more of it.
    getSchema: answer(() =>
      new proto.GetSchemaResponse().setSchema(JSON.stringify({ name: provider.name, version: provider.version })),
    ),

    checkConfig: answer((request: proto.CheckRequest) => {
      const news = fromStruct(request.getNews());
      return checkResponse(news, () => refuseOptions(news));
    }),

    diffConfig: answer((request: proto.DiffRequest) =>
      diffResponse({ changes: diffPaths(fromStruct(request.getOldInputs()), fromStruct(request.getNews())) }),
    ),

    configure: answer(() => new proto.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true)),

    check: answer((request: proto.CheckRequest) => {
      const news = fromStruct(request.getNews());
      return checkResponse(news, () => resourceType(request.getType()).check({ ...about(request), news }));
    }),

    diff: answer(async (request: proto.DiffRequest) =>
      diffResponse(
        await resourceType(request.getType()).diff({
          ...about(request),
          state: fromStruct(request.getOlds()),
          oldInputs: fromStruct(request.getOldInputs()),
          news: fromStruct(request.getNews()),
        }),
      ),
    ),

    create: answer(async (request: proto.CreateRequest) => {
      const { id, state } = await resourceType(request.getType()).create({
        ...about(request),
        inputs: fromStruct(request.getProperties()),
        preview: request.getPreview(),
      });
      return new proto.CreateResponse().setId(id).setProperties(toStruct(state));
    }),

    read: answer(async (request: proto.ReadRequest) => {
      const inputs = fromStruct(request.getInputs());
      // An import or a `get` knows nothing but the id.
      if (Object.keys(inputs).length === 0) throw new NotImplemented(`${standIn} imports nothing`);
      const found = await resourceType(request.getType()).read({
        ...about(request),
        id: request.getId(),
        inputs,
        state: fromStruct(request.getProperties()),
      });
      return new proto.ReadResponse()
        .setId(found.id)
        .setInputs(toStruct(found.inputs))
        .setProperties(toStruct(found.state));
    }),

    update: answer(async (request: proto.UpdateRequest) => {
      const state = await resourceType(request.getType()).update({
        ...about(request),
        inputs: fromStruct(request.getNews()),
        state: fromStruct(request.getOlds()),
        preview: request.getPreview(),
      });
      return new proto.UpdateResponse().setProperties(toStruct(state));
    }),

    delete: answer(async (request: proto.DeleteRequest) => {
      await resourceType(request.getType()).delete({ ...about(request), state: fromStruct(request.getProperties()) });
      return new Empty();
    }),
  };
}

async function checkResponse(news: Obj, check: () => Obj | Promise<Obj>): Promise<proto.CheckResponse> {
  const response = new proto.CheckResponse();
  try {
    return response.setInputs(toStruct(await check()));
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    for (const { property, reason } of error.failures) {
      response.addFailures(new proto.CheckFailure().setProperty(property).setReason(reason));
    }
    return response.setInputs(toStruct(news));
  }
}

function diffResponse({ changes, replaces }: DiffResult): proto.DiffResponse {
  const response = new proto.DiffResponse().setHasdetaileddiff(true);
  const replacing = new Set(replaces);
  for (const [path, change] of changes) {
    const replace = replacing.has(path);
    if (replace) response.addReplaces(path);
    const kind = proto.PropertyDiff.Kind[replace ? (`${change}_REPLACE` as const) : change];
    response.getDetaileddiffMap().set(path, new proto.PropertyDiff().setKind(kind).setInputdiff(true));
  }
  response.setDiffsList([...new Set([...changes.keys()].map(topLevel))]);
  const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
  return response.setChanges(changes.size === 0 ? DIFF_NONE : DIFF_SOME);
}

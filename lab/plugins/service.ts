/** The provider protocol (pulumirpc.ResourceProvider) in terms of `Provider` and `ResourceType`. */
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { diffPaths, isWithin, topLevel } from "./diff";
import type { EngineLog } from "./engine";
import { CheckError, NotImplemented } from "./errors";
import { unary } from "./grpc";
import type { DiffResult, Provider, ResourceRequest, ResourceType } from "./provider";
import { fromStruct, Obj, toStruct } from "./values";

/** The handlers for one provider. Methods that are missing here are refused by the gRPC server as not implemented. */
export function resourceProvider(provider: Provider, engine: EngineLog): Partial<IResourceProviderServer> {
  const cancelled = new AbortController();
  const standIn = `the lab's stand-in for the Pulumi provider ${provider.name} ${provider.version}`;

  /** Messages logged during an operation must arrive before its end. */
  const answer = <Request, Response>(handle: (request: Request) => Response | Promise<Response>) =>
    unary(handle, () => engine.flush());

  function resourceType(type: string): ResourceType {
    const found = provider.resource(type);
    if (!found) throw new NotImplemented(`${standIn} does not implement the resource type ${type}`);
    return found;
  }

  /** The part that all requests about a resource share. */
  function about(request: { getUrn(): string; getType(): string; getName(): string }): ResourceRequest {
    const urn = request.getUrn();
    return {
      urn,
      type: request.getType(),
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
      cancelled.abort(new Error("the update was cancelled"));
      return new Empty();
    }),

    getPluginInfo: answer(() => new PluginInfo().setVersion(provider.version)),

    // The smallest valid schema: the SDKs were generated already, so nobody needs more of it.
    getSchema: answer(() =>
      new proto.GetSchemaResponse().setSchema(JSON.stringify({ name: provider.name, version: provider.version })),
    ),

    checkConfig: answer((request: proto.CheckRequest) => {
      const news = fromStruct(request.getNews());
      return checkResponse(news, () =>
        provider.checkConfig ? provider.checkConfig(news, fromStruct(request.getOlds())) : refuseOptions(news),
      );
    }),

    diffConfig: answer(async (request: proto.DiffRequest) => {
      const oldInputs = fromStruct(request.getOldInputs());
      const news = fromStruct(request.getNews());
      const result = (await provider.diffConfig?.(oldInputs, news)) ?? { changes: diffPaths(oldInputs, news) };
      return diffResponse(result, request.getIgnorechangesList());
    }),

    configure: answer(async (request: proto.ConfigureRequest) => {
      await provider.configure?.(fromStruct(request.getArgs()));
      return new proto.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
    }),

    check: answer((request: proto.CheckRequest) => {
      const news = fromStruct(request.getNews());
      return checkResponse(news, () =>
        resourceType(request.getType()).check({
          ...about(request),
          news,
          olds: fromStruct(request.getOlds()),
          randomSeed: Buffer.from(request.getRandomseed_asU8()),
        }),
      );
    }),

    diff: answer(async (request: proto.DiffRequest) => {
      const result = await resourceType(request.getType()).diff({
        ...about(request),
        id: request.getId(),
        state: fromStruct(request.getOlds()),
        oldInputs: fromStruct(request.getOldInputs()),
        news: fromStruct(request.getNews()),
        ignoreChanges: request.getIgnorechangesList(),
      });
      return diffResponse(result, request.getIgnorechangesList());
    }),

    create: answer(async (request: proto.CreateRequest) => {
      const { id, state } = await resourceType(request.getType()).create({
        ...about(request),
        inputs: fromStruct(request.getProperties()),
        preview: request.getPreview(),
        timeout: request.getTimeout(),
      });
      return new proto.CreateResponse().setId(id).setProperties(toStruct(state));
    }),

    read: answer(async (request: proto.ReadRequest) => {
      const found = await resourceType(request.getType()).read({
        ...about(request),
        id: request.getId(),
        inputs: fromStruct(request.getInputs()),
        state: fromStruct(request.getProperties()),
        timeout: request.getTimeout(),
      });
      const response = new proto.ReadResponse();
      if (!found) return response; // No id: gone.
      return response.setId(found.id).setInputs(toStruct(found.inputs)).setProperties(toStruct(found.state));
    }),

    update: answer(async (request: proto.UpdateRequest) => {
      const state = await resourceType(request.getType()).update({
        ...about(request),
        id: request.getId(),
        inputs: fromStruct(request.getNews()),
        oldInputs: fromStruct(request.getOldInputs()),
        state: fromStruct(request.getOlds()),
        ignoreChanges: request.getIgnorechangesList(),
        preview: request.getPreview(),
        timeout: request.getTimeout(),
      });
      return new proto.UpdateResponse().setProperties(toStruct(state));
    }),

    delete: answer(async (request: proto.DeleteRequest) => {
      await resourceType(request.getType()).delete({
        ...about(request),
        id: request.getId(),
        oldInputs: fromStruct(request.getOldInputs()),
        state: fromStruct(request.getProperties()),
        timeout: request.getTimeout(),
      });
      return new Empty();
    }),

    invoke: answer(async (request: proto.InvokeRequest) => {
      if (!provider.invoke) throw new NotImplemented(`${standIn} does not implement the function ${request.getTok()}`);
      const result = await provider.invoke(request.getTok(), fromStruct(request.getArgs()));
      return new proto.InvokeResponse().setReturn(toStruct(result));
    }),

    call: answer(async (request: proto.CallRequest) => {
      if (!provider.call) throw new NotImplemented(`${standIn} does not implement the method ${request.getTok()}`);
      const result = await provider.call(request.getTok(), fromStruct(request.getArgs()));
      return new proto.CallResponse().setReturn(toStruct(result));
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

function diffResponse(result: DiffResult, ignoreChanges: string[]): proto.DiffResponse {
  const response = new proto.DiffResponse().setHasdetaileddiff(true);
  const replaces = new Set(result.replaces);
  const changed = new Set<string>();
  for (const [path, change] of result.changes) {
    if (ignoreChanges.some((pattern) => isWithin(path, pattern))) continue;
    changed.add(topLevel(path));
    const replace = replaces.has(path);
    if (replace) response.addReplaces(path);
    const kind = proto.PropertyDiff.Kind[replace ? (`${change}_REPLACE` as const) : change];
    const detail = new proto.PropertyDiff().setKind(kind).setInputdiff(result.inputDiff ?? true);
    response.getDetaileddiffMap().set(path, detail);
  }
  response.setDiffsList([...changed]);
  response.setDeletebeforereplace((result.deleteBeforeReplace ?? false) && response.getReplacesList().length > 0);
  const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
  return response.setChanges(changed.size === 0 ? DIFF_NONE : DIFF_SOME);
}

/**
 * What a stand-in provider plugin implements, and how it is served.
 *
 * The stand-ins are test equipment for machines where Pulumi's provider plugins cannot be downloaded. They serve the
 * same tokens over the same protocol, and refuse whatever they do not implement.
 */
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { Changes } from "./diff";
import { EngineLog, Severity } from "./engine";
import { announce, listen } from "./grpc";
import { resourceProvider } from "./service";
import type { Obj } from "./values";

/** What every request about a resource carries. Values still have their secret wrappers and, in previews, unknowns. */
export interface ResourceRequest {
  urn: string;
  /** For example `tls:index/privateKey:PrivateKey`. */
  type: string;
  name: string;
  /** Shows a message at this resource. Never pass a secret. */
  log: (severity: Severity, message: string) => void;
  /** Aborted when the user cancels the update. */
  signal: AbortSignal;
}

export interface CheckRequest extends ResourceRequest {
  /** The inputs that the program gives. */
  news: Obj;
  /** The checked inputs of the last update; empty for a new resource. */
  olds: Obj;
  /** The same for the preview and the update: for automatic names. Empty if the engine gave none. */
  randomSeed: Buffer;
}

export interface DiffRequest extends ResourceRequest {
  id: string;
  state: Obj;
  oldInputs: Obj;
  news: Obj;
  ignoreChanges: string[];
}

export interface DiffResult {
  changes: Changes;
  /** Those paths of `changes` that cannot be updated in place. */
  replaces?: Iterable<string>;
  /** For objects whose name cannot exist twice. */
  deleteBeforeReplace?: boolean;
  /** True (the default) if `changes` compares old with new inputs, false if it compares the state with new inputs. */
  inputDiff?: boolean;
}

export interface CreateRequest extends ResourceRequest {
  inputs: Obj;
  /** True: contact nothing that would change, return what is known and UNKNOWN for the rest. */
  preview: boolean;
  /** Seconds; 0 means the resource type's own default. */
  timeout: number;
}

export interface CreateResult {
  /** Empty in a preview. */
  id: string;
  state: Obj;
}

export interface ReadRequest extends ResourceRequest {
  id: string;
  /** Both are empty for an import or a `get`. */
  inputs: Obj;
  state: Obj;
  timeout: number;
}

export interface ReadResult {
  id: string;
  inputs: Obj;
  state: Obj;
}

export interface UpdateRequest extends CreateRequest {
  id: string;
  oldInputs: Obj;
  state: Obj;
  ignoreChanges: string[];
}

export interface DeleteRequest extends ResourceRequest {
  id: string;
  oldInputs: Obj;
  state: Obj;
  timeout: number;
}

type Awaitable<T> = T | Promise<T>;

/** One type of resource. Each method may throw the errors of errors.ts; any other error fails the operation. */
export interface ResourceType {
  /** The inputs with defaults filled in. Throws CheckError for wrong ones and for those that are not implemented. */
  check(request: CheckRequest): Awaitable<Obj>;
  diff(request: DiffRequest): Awaitable<DiffResult>;
  create(request: CreateRequest): Awaitable<CreateResult>;
  /** The object as it is now; undefined if it is gone. */
  read(request: ReadRequest): Awaitable<ReadResult | undefined>;
  /** The new state. */
  update(request: UpdateRequest): Awaitable<Obj>;
  delete(request: DeleteRequest): Awaitable<void>;
}

export interface Provider {
  /** The package, for example `tls`. */
  name: string;
  /** The version of the SDK that this stands in for. */
  version: string;
  /** The provider's own inputs, with defaults. Without this, any option is refused. Throws CheckError. */
  checkConfig?(news: Obj, olds: Obj): Awaitable<Obj>;
  /** Without this, every change of the provider's own inputs is an update in place. */
  diffConfig?(oldInputs: Obj, news: Obj): Awaitable<DiffResult>;
  /** Called once, before any resource. The engine does not call it while an option is unknown (in a preview). */
  configure?(args: Obj): Awaitable<void>;
  /** Undefined for a type that is not implemented: the framework refuses it. */
  resource(type: string): ResourceType | undefined;
  invoke?(token: string, args: Obj): Awaitable<Obj>;
  /** A method call on a resource. */
  call?(token: string, args: Obj): Awaitable<Obj>;
}

export interface RunningProvider {
  port: number;
  /** Stops at once: running requests fail. */
  close(): void;
}

/** Starts the provider's gRPC server on a free port of the loopback address. `engine`: the engine's `host:port`. */
export async function startProvider(provider: Provider, engine?: string): Promise<RunningProvider> {
  const log = new EngineLog();
  if (engine) log.connect(engine);
  const { port, server } = await listen(ResourceProviderService, resourceProvider(provider, log));
  return {
    port,
    close() {
      server.forceShutdown();
      log.close();
    },
  };
}

/** A plugin's main: serves until SIGINT or SIGTERM, and prints the port, which is what the engine waits for. */
export async function serve(provider: Provider): Promise<void> {
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    process.stderr.write(`pulumi-resource-${provider.name}: ${error.stack}\n`);
    // A peer that stopped reading (a child's stdin, our own stdout) fails its own operation, not the other ones.
    if (error.code !== "EPIPE") process.exit(1);
  });
  // The CLI passes flags, too (--logtostderr, -v=9, --tracing URL); the engine's address is the last argument.
  const running = await startProvider(provider, process.argv.slice(2).pop());
  announce(running.port, () => running.close());
}

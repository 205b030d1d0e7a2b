/** What a stand-in for a provider plugin implements; `serve.ts` serves it. */
import type { Changes } from "./diff";
import type { Severity } from "./engine";
import type { Obj } from "./values";

/** What every request about a resource carries. Values still have their secret wrappers and, in previews, unknowns. */
export interface ResourceRequest {
  name: string;
  /** Shows a message at this resource. Never pass a secret. */
  log: (severity: Severity, message: string) => void;
  /** Aborted when the user cancels the update. */
  signal: AbortSignal;
}

export interface CheckRequest extends ResourceRequest {
  /** The inputs that the program gives. */
  news: Obj;
}

export interface DiffRequest extends ResourceRequest {
  state: Obj;
  oldInputs: Obj;
  news: Obj;
}

export interface DiffResult {
  changes: Changes;
  /** Those paths of `changes` that cannot be updated in place. */
  replaces?: Iterable<string>;
}

export interface CreateRequest extends ResourceRequest {
  inputs: Obj;
  /** True: contact nothing that would change, return what is known and UNKNOWN for the rest. */
  preview: boolean;
}

export interface CreateResult {
  /** Empty in a preview. */
  id: string;
  state: Obj;
}

export interface ReadRequest extends ResourceRequest {
  id: string;
  inputs: Obj;
  state: Obj;
}

export interface ReadResult {
  id: string;
  inputs: Obj;
  state: Obj;
}

export interface UpdateRequest extends CreateRequest {
  state: Obj;
}

export interface DeleteRequest extends ResourceRequest {
  state: Obj;
}

type Awaitable<T> = T | Promise<T>;

/** One type of resource. Each method may throw the errors of errors.ts; any other error fails the operation. */
export interface ResourceType {
  /** The inputs with defaults filled in. Throws CheckError for wrong ones and for those that are not implemented. */
  check(request: CheckRequest): Awaitable<Obj>;
  diff(request: DiffRequest): Awaitable<DiffResult>;
  create(request: CreateRequest): Awaitable<CreateResult>;
  /** The resource as it is now. */
  read(request: ReadRequest): Awaitable<ReadResult>;
  /** The new state. */
  update(request: UpdateRequest): Awaitable<Obj>;
  delete(request: DeleteRequest): Awaitable<void>;
}

export interface Provider {
  /** The package, for example `tls`. */
  name: string;
  /** The version of the SDK that this stands in for. */
  version: string;
  /** By its token, for example `tls:index/privateKey:PrivateKey`; undefined for a type that is not implemented. */
  resource(type: string): ResourceType | undefined;
}

/**
 * A small API server on the loopback address: discovery, create, get, list, replace, delete and server-side apply with
 * field managers. Lists count as one value; nothing is validated or defaulted except where a test says so.
 */
import { once } from "node:events";
import { createServer, IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { field, KubeObject, ManagedFields } from "../../../lab/plugins/kubernetes/objects";
import { isObj, Obj } from "../../../lab/plugins/values";

interface Resource {
  kind: string;
  name: string;
  namespaced: boolean;
}

export interface Status {
  code: number;
  reason: string;
  message: string;
  details?: Obj;
}

export interface Seen {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Obj;
  contentType: string;
}

class Refused extends Error {
  constructor(readonly status: Status) {
    super(status.message);
  }
}

const BUILT_IN: Record<string, Resource[]> = {
  "/api/v1": [
    { kind: "Namespace", name: "namespaces", namespaced: false },
    { kind: "ConfigMap", name: "configmaps", namespaced: true },
    { kind: "Secret", name: "secrets", namespaced: true },
    { kind: "Service", name: "services", namespaced: true },
    { kind: "Endpoints", name: "endpoints", namespaced: true },
    { kind: "Pod", name: "pods", namespaced: true },
  ],
  "/apis/apps/v1": [
    { kind: "Deployment", name: "deployments/scale", namespaced: true },
    { kind: "Deployment", name: "deployments", namespaced: true },
    { kind: "ReplicaSet", name: "replicasets", namespaced: true },
  ],
  "/apis/rbac.authorization.k8s.io/v1": [{ kind: "ClusterRole", name: "clusterroles", namespaced: false }],
  "/apis/apiextensions.k8s.io/v1": [
    { kind: "CustomResourceDefinition", name: "customresourcedefinitions", namespaced: false },
  ],
};

export class FakeApiServer {
  /** By path: `/api/v1/namespaces/default/services/web`. */
  readonly objects = new Map<string, KubeObject>();
  /** Requests other than discovery, in order. */
  readonly seen: Seen[] = [];
  readonly groups: Record<string, Resource[]> = structuredClone(BUILT_IN);
  /** Called before a write; a status refuses it. */
  refuse: (request: Seen) => Status | undefined = () => undefined;
  /** Called with the object that a write is about to store, to fill in what a controller would. */
  complete: (object: KubeObject) => void = () => undefined;
  /** By path: what to do before each of the next GETs is answered. */
  readonly steps = new Map<string, (() => void)[]>();
  private readonly server: Server;
  private counter = 0;

  constructor() {
    this.server = createServer((request, response) => {
      void this.answer(request).then(
        (body) => response.end(JSON.stringify(body)),
        (error: unknown) => {
          const status = error instanceof Refused ? error.status : { code: 500, reason: "Bug", message: String(error) };
          response.writeHead(status.code).end(JSON.stringify({ kind: "Status", ...status }));
        },
      );
    });
    this.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  }

  async start(): Promise<void> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig for this server, as text. */
  get kubeconfig(): string {
    return JSON.stringify({
      clusters: [{ name: "fake", cluster: { server: this.url } }],
      users: [{ name: "me", user: { token: "t0ken" } }],
      contexts: [{ name: "fake", context: { cluster: "fake", user: "me" } }],
      "current-context": "fake",
    });
  }

  /** Stores an object as if another client had made it. */
  put(object: KubeObject): KubeObject {
    const stored = structuredClone(object);
    stored.metadata.uid ??= `uid-${++this.counter}`;
    stored.metadata.resourceVersion = String(++this.counter);
    this.objects.set(this.pathOf(object), stored);
    return stored;
  }

  get(apiVersion: string, kind: string, name: string, namespace?: string): KubeObject | undefined {
    return this.objects.get(this.pathOf({ apiVersion, kind, metadata: { name, namespace } }));
  }

  /** The writes so far, as `POST /path`. */
  get writes(): string[] {
    return this.seen.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);
  }

  private pathOf({ apiVersion, kind, metadata }: KubeObject): string {
    const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const found = this.groups[base]?.find((resource) => resource.kind === kind);
    if (!found) throw new Error(`the fake has no ${apiVersion} ${kind}`);
    return `${base}${found.namespaced ? `/namespaces/${metadata.namespace}` : ""}/${found.name}/${metadata.name}`;
  }

  private async answer(request: IncomingMessage): Promise<unknown> {
    const url = new URL(request.url ?? "", "http://fake");
    const path = decodeURIComponent(url.pathname);
    if (request.headers.authorization !== "Bearer t0ken") throw refused(401, "Unauthorized", "Unauthorized");
    const group = this.groups[path];
    if (group) return { kind: "APIResourceList", resources: group };
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const seen: Seen = {
      method: request.method ?? "",
      path,
      query: url.searchParams,
      body: (text ? JSON.parse(text) : {}) as Obj,
      contentType: request.headers["content-type"] ?? "",
    };
    this.seen.push(seen);
    if (seen.method !== "GET") {
      const status = this.refuse(seen);
      if (status) throw new Refused(status);
    }
    return this.handle(seen);
  }

  private handle(seen: Seen): unknown {
    const { method, path, query, body } = seen;
    const dryRun = query.get("dryRun") === "All";
    const manager = query.get("fieldManager") ?? "unknown";
    if (method === "POST") {
      const object = body as KubeObject;
      const place = `${path}/${object.metadata.name}`;
      const namespace = /\/namespaces\/([^/]+)\//.exec(place)?.[1];
      if (namespace && !this.objects.has(`/api/v1/namespaces/${namespace}`)) {
        throw refused(404, "NotFound", `namespaces "${namespace}" not found`, { kind: "namespaces", name: namespace });
      }
      if (
        !Object.values(this.groups)
          .flat()
          .some(({ name }) => path.endsWith(`/${name}`))
      )
        throw notFound(path);
      if (this.objects.has(place)) throw refused(409, "AlreadyExists", `"${object.metadata.name}" already exists`);
      return this.store(place, object, [{ manager, operation: "Update", fieldsV1: fieldsOf(object) }], dryRun);
    }
    if (method === "GET") this.steps.get(path)?.shift()?.();
    const live = this.objects.get(path);
    if (method === "GET") {
      if (live) return live;
      const items = [...this.objects].filter(([place]) => place.slice(0, place.lastIndexOf("/")) === path);
      if (items.length > 0 || this.isCollection(path)) return { items: items.map(([, object]) => object) };
      throw notFound(path);
    }
    if (method === "PATCH" && seen.contentType.includes("apply-patch")) return this.apply(seen, live, manager, dryRun);
    if (!live) throw notFound(path);
    if (method === "PATCH") return this.jsonPatch(path, live, seen.body as unknown as Obj[]);
    if (method === "PUT") {
      if (field(body, "metadata", "resourceVersion") !== live.metadata.resourceVersion) throw modified(path);
      return this.store(path, body as KubeObject, [{ manager, operation: "Update", fieldsV1: fieldsOf(body) }], dryRun);
    }
    if (method !== "DELETE") throw refused(405, "MethodNotAllowed", method);
    if (live.metadata.finalizers?.length) live.metadata["deletionTimestamp"] = "now";
    else this.objects.delete(path);
    return { kind: "Status" };
  }

  private isCollection(path: string): boolean {
    return Object.values(this.groups)
      .flat()
      .some(({ name }) => path.endsWith(`/${name}`));
  }

  private apply(
    { path, query, body }: Seen,
    live: KubeObject | undefined,
    manager: string,
    dryRun: boolean,
  ): KubeObject {
    const applied = fieldsOf(body);
    const managed = structuredClone(live?.metadata.managedFields ?? []);
    const isOwn = (entry: ManagedFields) => entry.manager === manager && entry.operation === "Apply";
    const others = managed.filter((entry) => !isOwn(entry));
    const result = structuredClone(live ?? ({ metadata: {} } as KubeObject));
    for (const leaf of leaves(applied)) {
      if (JSON.stringify(field(result, ...leaf)) === JSON.stringify(field(body, ...leaf))) continue;
      for (const other of others.filter(({ fieldsV1 }) => owns(fieldsV1, leaf))) {
        if (query.get("force") !== "true") {
          const message = `Apply failed with 1 conflict: conflict with "${other.manager}": .${leaf.join(".")}`;
          throw refused(409, "Conflict", message);
        }
        disown(other.fieldsV1 as Obj, leaf);
      }
    }
    const before = managed.find(isOwn)?.fieldsV1 ?? {};
    for (const leaf of leaves(before)) {
      if (!owns(applied, leaf) && !others.some(({ fieldsV1 }) => owns(fieldsV1, leaf))) assign(result, leaf, undefined);
    }
    for (const leaf of leaves(applied)) assign(result, leaf, field(body, ...leaf));
    Object.assign(result, { apiVersion: body["apiVersion"], kind: body["kind"] });
    const { name, namespace } = (body as KubeObject).metadata;
    Object.assign(result.metadata, { name, ...(namespace && { namespace }) });
    return this.store(path, result, [...others, { manager, operation: "Apply", fieldsV1: applied }], dryRun);
  }

  private jsonPatch(path: string, live: KubeObject, patch: Obj[]): KubeObject {
    const values = new Map(patch.map(({ path: place, value }) => [place, value]));
    if (values.get("/metadata/resourceVersion") !== live.metadata.resourceVersion) throw modified(path);
    return this.store(path, live, values.get("/metadata/managedFields") as ManagedFields[], false);
  }

  private store(path: string, object: KubeObject, managedFields: ManagedFields[], dryRun: boolean): KubeObject {
    const before = this.objects.get(path);
    const stored = structuredClone(object);
    const isChanged = JSON.stringify(spec(before)) !== JSON.stringify(spec(stored));
    Object.assign(stored.metadata, {
      uid: before?.metadata.uid ?? `uid-${++this.counter}`,
      resourceVersion: String(++this.counter),
      generation: (before?.metadata.generation ?? 0) + (isChanged ? 1 : 0),
      managedFields: managedFields.filter(({ fieldsV1 }) => leaves(fieldsV1 ?? {}).length > 0),
    });
    if (stored["stringData"]) {
      const entries = Object.entries(stored["stringData"] as Record<string, string>);
      stored["data"] = Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
      delete stored["stringData"];
    }
    this.complete(stored);
    if (!dryRun) this.objects.set(path, stored);
    return stored;
  }
}

const spec = (object: KubeObject | undefined): unknown => object && { ...object, metadata: {}, status: {} };

const refused = (code: number, reason: string, message: string, details: Obj = {}): Refused =>
  new Refused({ code, reason, message, details });
const notFound = (path: string): Refused => refused(404, "NotFound", `${path} not found`);
const modified = (path: string): Refused => refused(409, "Conflict", `${path}: the object has been modified`);

/** The fields of an object, without its identity, as in managedFields. */
function fieldsOf(object: Obj): Obj {
  const { labels, annotations } = object["metadata"] as Obj;
  return tree({ ...object, apiVersion: undefined, kind: undefined, metadata: { labels, annotations } });
}

const tree = (value: Obj): Obj =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined && !(isObj(part) && Object.values(part).every((v) => v === undefined)))
      .map(([key, part]) => [`f:${key}`, isObj(part) ? tree(part) : {}]),
  );

/** The paths to all leaves of a tree of fields. */
const leaves = (fields: Obj, path: string[] = []): string[][] =>
  Object.entries(fields).flatMap(([key, part]) => {
    const here = [...path, key.slice(2)];
    return isObj(part) && Object.keys(part).length > 0 ? leaves(part, here) : [here];
  });

const owns = (fields: unknown, leaf: string[]): boolean =>
  field(fields, ...leaf.map((key) => `f:${key}`)) !== undefined;

const disown = (fields: Obj, leaf: string[]): void =>
  assign(
    fields,
    leaf.map((key) => `f:${key}`),
    undefined,
  );

function assign(object: Obj, [key = "", ...rest]: string[], value: unknown): void {
  if (rest.length > 0) {
    if (isObj(object[key]) || value !== undefined) assign((object[key] ??= {}) as Obj, rest, value);
  } else if (value === undefined) delete object[key];
  else object[key] = value;
}

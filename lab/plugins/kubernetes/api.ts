/** The Kubernetes API over plain HTTPS: the few requests that the stand-in makes. */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isObj, Obj } from "../values";
import type { GroupVersionKind } from "./kinds";
import type { Connection } from "./kubeconfig";
import { field, KubeObject } from "./objects";

/** A refusal by the API server. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status. */
    readonly code: number,
    message: string,
    /** For example `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`. */
    readonly reason: string,
    readonly details: Obj,
  ) {
    super(message);
  }

  /** True if what is missing is the namespace and not the object itself. */
  get namespaceMissing(): boolean {
    return this.code === 404 && this.details["kind"] === "namespaces";
  }
}

/** The API server does not know the kind: its CustomResourceDefinition is not there (yet). */
export class NoMatch extends Error {
  constructor({ apiVersion, kind }: GroupVersionKind) {
    super(`no matches for kind "${kind}" in version "${apiVersion}"`);
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.code === 404;

/** What identifies an object. */
export interface Reference extends GroupVersionKind {
  metadata: { name: string; namespace?: string };
}

export interface WriteOptions {
  dryRun: boolean;
  fieldManager: string;
}

interface Discovered {
  /** In plural, as in paths: `services`. */
  name: string;
  namespaced: boolean;
}

type PatchType = "apply-patch+yaml" | "json-patch+json";

/** How long a connection may take to come about, in milliseconds. */
const CONNECT_TIMEOUT = 30_000;

export class Api {
  private readonly agent: HttpAgent;
  private readonly discovered = new Map<string, Discovered>();

  constructor(private readonly connection: Connection) {
    const { ca, cert, key, insecure, serverName } = connection;
    // No kept-alive connections: after a restart of the API server, the first request on each would fail.
    this.agent = connection.server.startsWith("http:")
      ? new HttpAgent()
      : new HttpsAgent({ ca, cert, key, servername: serverName, rejectUnauthorized: !insecure });
  }

  /** Throws unless the API server answers and knows the user. */
  async probe(): Promise<void> {
    await this.request("GET", "/api/v1");
  }

  /** Throws NoMatch if the server does not serve the kind. Only what was found is remembered: CRDs come later. */
  async discover(kind: GroupVersionKind): Promise<Discovered> {
    const key = `${kind.apiVersion}/${kind.kind}`;
    const known = this.discovered.get(key);
    if (known) return known;
    const list = await this.request("GET", groupPath(kind.apiVersion)).catch((error: unknown) => {
      throw isNotFound(error) ? new NoMatch(kind) : error;
    });
    const resources = (list["resources"] ?? []) as (Discovered & { kind: string })[];
    const found = resources.find((resource) => resource.kind === kind.kind && !resource.name.includes("/"));
    if (!found) throw new NoMatch(kind);
    this.discovered.set(key, found);
    return found;
  }

  /** Forgets what was discovered: a CustomResourceDefinition changed. */
  rediscover(): void {
    this.discovered.clear();
  }

  async get(object: Reference): Promise<KubeObject> {
    return (await this.request("GET", await this.path(object))) as KubeObject;
  }

  /** The objects of one kind in a namespace. */
  async list(kind: GroupVersionKind, namespace: string | undefined): Promise<KubeObject[]> {
    const list = await this.request("GET", await this.collection(kind, namespace));
    return (list["items"] ?? []) as KubeObject[];
  }

  async create(object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    const path = await this.collection(object, object.metadata.namespace);
    return (await this.request("POST", path + query(options), object)) as KubeObject;
  }

  async replace(object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    return (await this.request("PUT", (await this.path(object)) + query(options), object)) as KubeObject;
  }

  /** Server-side apply. `force` takes fields over from other managers instead of failing with a conflict. */
  async apply(object: Reference, options: WriteOptions & { force: boolean }): Promise<KubeObject> {
    const path = (await this.path(object)) + query(options) + (options.force ? "&force=true" : "");
    return (await this.request("PATCH", path, object, "apply-patch+yaml")) as KubeObject;
  }

  async jsonPatch(object: Reference, patch: Obj[]): Promise<KubeObject> {
    return (await this.request("PATCH", await this.path(object), patch, "json-patch+json")) as KubeObject;
  }

  async delete(object: Reference, propagationPolicy: string): Promise<void> {
    await this.request("DELETE", await this.path(object), { propagationPolicy });
  }

  private async collection(kind: GroupVersionKind, namespace: string | undefined): Promise<string> {
    const { name, namespaced } = await this.discover(kind);
    const scope = namespaced ? `/namespaces/${encodeURIComponent(namespace ?? this.connection.namespace)}` : "";
    return `${groupPath(kind.apiVersion)}${scope}/${name}`;
  }

  private async path(object: Reference): Promise<string> {
    const { name, namespace } = object.metadata;
    return `${await this.collection(object, namespace)}/${encodeURIComponent(name)}`;
  }

  private request(method: string, path: string, body?: unknown, patchType?: PatchType): Promise<Obj> {
    const { server, token } = this.connection;
    const url = new URL(server.replace(/\/$/, "") + path);
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      accept: "application/json",
      ...(content && { "content-type": `application/${patchType ?? "json"}`, "content-length": content.length }),
      ...(token && { authorization: `Bearer ${token}` }),
    };
    const start = url.protocol === "http:" ? httpRequest : httpsRequest;
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) =>
        reject(new Error(`${method} ${url.origin}${url.pathname}: ${error.message || error.code}`));
      const request = start(url, { method, agent: this.agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const result = answer(response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"));
          if (result instanceof ApiError) reject(result);
          else resolve(result);
        });
      });
      request.on("error", fail);
      request.on("socket", (socket) => {
        const giveUp = setTimeout(() => request.destroy(new Error("no connection")), CONNECT_TIMEOUT);
        socket.once(url.protocol === "http:" ? "connect" : "secureConnect", () => clearTimeout(giveUp));
        socket.once("close", () => clearTimeout(giveUp));
      });
      request.end(content);
    });
  }
}

const groupPath = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

const query = ({ dryRun, fieldManager }: WriteOptions): string =>
  `?fieldManager=${encodeURIComponent(fieldManager)}${dryRun ? "&dryRun=All" : ""}`;

function answer(code: number, body: string): Obj | ApiError {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    // Proxies and broken servers answer with text.
    content = { message: body.trim() };
  }
  const status = isObj(content) ? content : {};
  if (code >= 200 && code < 300) return status;
  const message = text(status["message"]) || `the API server answered with HTTP status ${code}`;
  return new ApiError(code, message, text(status["reason"]), (field(status, "details") ?? {}) as Obj);
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

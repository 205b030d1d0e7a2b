/** From a kubeconfig to what is needed for one HTTPS connection. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { load as parse } from "js-yaml";
import { NotImplemented } from "../errors";
import { isObj, Obj } from "../values";

/** How to reach and authenticate to an API server. */
export interface Connection {
  server: string;
  ca?: Buffer;
  insecure: boolean;
  serverName?: string;
  cert?: Buffer;
  key?: Buffer;
  token?: string;
  /** Where objects go that name no namespace. */
  namespace: string;
}

export interface Selection {
  /** A path (`~` is the home directory) or the text itself; empty for KUBECONFIG or ~/.kube/config. */
  kubeconfig?: string;
  context?: string;
  cluster?: string;
  namespace?: string;
}

interface Kubeconfig {
  content: Obj;
  /** Relative paths in it start here. */
  folder: string;
}

const REFUSED_USER = ["exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"];
const REFUSED_CLUSTER = ["proxy-url"];

/**
 * Resolves a kubeconfig. Throws NotImplemented for ways to authenticate that the stand-in does not know, and another
 * error if there is no kubeconfig or it is incomplete. No error text holds a secret.
 */
export function connectionFrom(selection: Selection): Connection {
  const { content, folder } = load(selection.kubeconfig);
  const contextName = selection.context || content["current-context"];
  const context = named(content, "contexts", "context", contextName);
  const cluster = named(content, "clusters", "cluster", selection.cluster || context["cluster"]);
  const user = context["user"] ? named(content, "users", "user", context["user"]) : {};
  refuse(user, REFUSED_USER, `user "${String(context["user"])}"`);
  refuse(cluster, REFUSED_CLUSTER, `cluster "${String(context["cluster"])}"`);
  const server = text(cluster["server"]);
  if (!server) throw new Error(`the kubeconfig's cluster of context "${String(contextName)}" names no server`);
  const bytes = (from: Obj, key: string): Buffer | undefined => {
    const data = text(from[`${key}-data`]);
    const path = text(from[key]);
    if (data) return Buffer.from(data, "base64");
    return path ? readFileSync(resolve(folder, path)) : undefined;
  };
  const tokenFile = text(user["tokenFile"]);
  return {
    server,
    ca: bytes(cluster, "certificate-authority"),
    insecure: cluster["insecure-skip-tls-verify"] === true,
    serverName: text(cluster["tls-server-name"]),
    cert: bytes(user, "client-certificate"),
    key: bytes(user, "client-key"),
    token: tokenFile ? readFileSync(resolve(folder, tokenFile), "utf8").trim() : text(user["token"]),
    namespace: selection.namespace || text(context["namespace"]) || "default",
  };
}

/**
 * The settings of the cluster that a provider's options select, to tell whether they still mean the same one; undefined
 * if they select none.
 */
export function activeCluster({ kubeconfig, context, cluster }: Selection): Obj | undefined {
  if (!kubeconfig) return undefined;
  const { content } = load(kubeconfig);
  try {
    const selected = named(content, "contexts", "context", context || content["current-context"]);
    return named(content, "clusters", "cluster", cluster || selected["cluster"]);
  } catch {
    return undefined;
  }
}

function load(pathOrText: string | undefined): Kubeconfig {
  if (!pathOrText) return loadFile(process.env["KUBECONFIG"] || join(homedir(), ".kube", "config"));
  const path = pathOrText.replace(/^~(?=$|\/)/, homedir());
  if (existsSync(path) && statSync(path).isFile()) return loadFile(path);
  return { content: parsed(pathOrText, "the provider's option kubeconfig"), folder: process.cwd() };
}

function loadFile(path: string): Kubeconfig {
  if (!existsSync(path)) {
    throw new Error(`there is no kubeconfig at ${path}: set the provider's option kubeconfig or KUBECONFIG`);
  }
  return { content: parsed(readFileSync(path, "utf8"), path), folder: dirname(resolve(path)) };
}

function parsed(yaml: string, where: string): Obj {
  let content: unknown;
  try {
    content = parse(yaml);
  } catch {
    // The parser's message quotes the text, which holds keys.
    throw new Error(`${where} is not valid YAML`);
  }
  if (!isObj(content)) throw new Error(`${where} is neither the path of a kubeconfig nor a kubeconfig`);
  return content;
}

function named(content: Obj, list: string, key: string, name: unknown): Obj {
  const entries = Array.isArray(content[list]) ? content[list] : [];
  const entry: unknown = entries.find((candidate) => isObj(candidate) && candidate["name"] === name);
  const value = isObj(entry) ? entry[key] : undefined;
  if (!isObj(value)) throw new Error(`the kubeconfig has no ${key} "${String(name)}"`);
  return value;
}

function refuse(part: Obj, keys: string[], where: string): void {
  const found = keys.filter((key) => part[key] !== undefined);
  if (found.length === 0) return;
  throw new NotImplemented(
    `the lab's stand-in for the kubernetes provider does not implement ${found.join(", ")} in the kubeconfig's ` +
      `${where}: use a client certificate or a bearer token`,
  );
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/**
 * The lab's stand-in for the Pulumi provider `kubernetes`: test equipment for machines where the real plugin cannot be
 * downloaded. It serves objects of any kind with server-side apply, and refuses charts, components and rendering.
 */
import { diffPaths } from "../diff";
import { CheckError, NotImplemented } from "../errors";
import type { DiffResult, Provider } from "../provider";
import { Obj, plain, UNKNOWN } from "../values";
import { versions } from "../versions";
import { Api } from "./api";
import { REAL_TIMING, Timing } from "./await";
import type { Cluster } from "./cluster";
import { parseType } from "./kinds";
import { activeCluster, Connection, connectionFrom, Selection } from "./kubeconfig";
import { kubernetesResource } from "./resource";

const SELECTION = ["kubeconfig", "context", "cluster", "namespace"] as const;
const FLAGS = {
  deleteUnreachable: "PULUMI_K8S_DELETE_UNREACHABLE",
  enableConfigMapMutable: "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
  enablePatchForce: "PULUMI_K8S_ENABLE_PATCH_FORCE",
  enableSecretMutable: "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
  enableServerSideApply: "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
  upsertExistingObjects: "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
} as const;
/** The stand-in never gives the warnings that these suppress. */
const WITHOUT_EFFECT = ["suppressDeprecationWarnings", "suppressHelmHookWarnings"];
/** What the engine adds itself. */
const ENGINE = ["version", "__internal"];
const OPTIONS = new Set<string>([...SELECTION, ...Object.keys(FLAGS), ...WITHOUT_EFFECT, ...ENGINE]);

/** The provider, to be served. `timing`: only tests change it. */
export function kubernetesProvider(timing: Timing = REAL_TIMING): Provider {
  let cluster: Cluster | undefined;
  return {
    name: "kubernetes",
    version: versions.kubernetes,
    checkConfig,
    diffConfig,
    async configure(args) {
      cluster = await configured(plain<Obj>(args), timing);
    },
    resource(type) {
      parseType(type);
      if (!cluster) throw new Error("the kubernetes provider was not configured before its first use");
      return kubernetesResource(cluster);
    },
  };
}

function checkConfig(news: Obj): Obj {
  const failures = Object.keys(news)
    .filter((property) => !OPTIONS.has(property))
    .map((property) => ({ property, reason: "is not implemented by the lab's stand-in for the kubernetes provider" }));
  if (flag(plain<Obj>(news), "enableServerSideApply") === false) {
    failures.push({
      property: "enableServerSideApply",
      reason: "must be true: the lab's stand-in for the kubernetes provider does not implement client-side apply",
    });
  }
  if (failures.length > 0) throw new CheckError(failures);
  return news;
}

/** Another cluster means other objects: everything on it is replaced. An unknown kubeconfig may be another cluster. */
function diffConfig(oldInputs: Obj, news: Obj): DiffResult {
  const changes = diffPaths(oldInputs, news);
  const before = selectionOf(plain<Obj>(oldInputs));
  const after = selectionOf(plain<Obj>(news));
  const changed = (["kubeconfig", "context", "cluster"] as const).filter((key) => changes.has(key));
  const unknown = changed.filter((key) => after[key] === UNKNOWN);
  if (unknown.length > 0) return { changes, replaces: unknown };
  if (changed.length === 0) return { changes };
  const [old, now] = [activeCluster(before), activeCluster(after)];
  const isAnother = old !== undefined && now !== undefined && diffPaths(old, now).size > 0;
  return { changes, replaces: isAnother ? changed : [] };
}

async function configured(args: Obj, timing: Timing): Promise<Cluster> {
  const base = {
    unreachable: "",
    namespace: "default",
    deleteUnreachable: flag(args, "deleteUnreachable") ?? false,
    enableConfigMapMutable: flag(args, "enableConfigMapMutable") ?? false,
    enablePatchForce: flag(args, "enablePatchForce") ?? false,
    enableSecretMutable: flag(args, "enableSecretMutable") ?? false,
    upsertExistingObjects: flag(args, "upsertExistingObjects") ?? false,
    timing,
  };
  let connection: Connection;
  try {
    connection = connectionFrom(selectionOf(args));
  } catch (error) {
    if (error instanceof NotImplemented) throw error;
    return { ...base, unreachable: `unable to load the kubeconfig: ${(error as Error).message}` };
  }
  const { namespace } = connection;
  try {
    const api = new Api(connection);
    await api.probe();
    return { ...base, namespace, api };
  } catch (error) {
    return { ...base, namespace, unreachable: (error as Error).message };
  }
}

const selectionOf = (args: Obj): Selection =>
  Object.fromEntries(SELECTION.map((key) => [key, typeof args[key] === "string" ? args[key] : undefined]));

/** An option that is true or false (the SDK sends it as text), or else its environment variable. */
function flag(args: Obj, key: keyof typeof FLAGS): boolean | undefined {
  const value = args[key] ?? process.env[FLAGS[key]];
  return value === undefined || value === "" ? undefined : value === true || value === "true";
}

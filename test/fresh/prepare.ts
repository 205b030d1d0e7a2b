/** What a machine gets before anything is typed: this checkout, and this machine's ways to the package registries. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { artifactPath, isBuilt } from "../../lab/artifacts";
import { checkout, folder } from "../../lab/paths";
import { recipes } from "../../lab/recipes";
import { run, type Log } from "../../lab/run";
import type { Machine } from "./machine";

/** Where it is cloned to. */
export const clone = "pulumi-istio-vm";

// Where clients are told how to reach the registries, and whom to trust. What this machine lacks, it does not need.
const files = ["/usr/local/share/ca-certificates", "/etc/pip.conf", "/etc/npmrc"];
const homeFiles = [".npmrc", ".config/pip", ".config/go/env"];
const trust =
  "NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|GIT_SSL_CAINFO|PIP_CERT";
const registries = "PIP_(EXTRA_)?INDEX_URL|PIP_TRUSTED_HOST|PIP_DEFAULT_TIMEOUT|NPM_CONFIG_REGISTRY";
const go = "GOPROXY|GOSUMDB|GONOSUMDB|GONOPROXY|GOPRIVATE|GOINSECURE";
const variables = new RegExp(`^(https?_proxy|no_proxy|all_proxy|${trust}|${registries}|${go})$`, "i");

/** Copies what this machine's apt, npm, pip and Go are told about the registries. */
export async function copyTrust(machine: Machine, log: Log): Promise<void> {
  const environment = Object.entries(process.env).filter(([name]) => variables.test(name)) as [string, string][];
  // A bundle of certificates may be of this machine's making.
  const bundles = environment.map(([, value]) => value).filter((value) => /^\/.*\.(crt|pem)$/.test(value));
  await copy(machine, "/", [...files, ...bundles], "/", log);
  await copy(machine, homedir(), homeFiles, "/root", log);
  const apt = (await run(["apt-config", "dump"]))
    .split("\n")
    .filter((line) => /^Acquire::(Check-|https?::)/.test(line));
  await machine.type("cat >/etc/apt/apt.conf.d/01outer", { input: `${apt.join("\n")}\n`, log });
  await setEnvironment(machine, environment, log);
}

/** Sets variables for every login. */
export async function setEnvironment(machine: Machine, variables: [string, string][], log: Log): Promise<void> {
  const lines = variables.map(([name, value]) => `${name}="${value}"\n`);
  await machine.type("cat >>/etc/environment", { input: lines.join(""), log });
}

/** Copies those files below `from` that are there. */
async function copy(machine: Machine, from: string, paths: string[], to: string, log: Log): Promise<void> {
  const present = paths.map((path) => path.replace(/^\//, "")).filter((path) => existsSync(join(from, path)));
  if (present.length === 0) return;
  const tar = ["tar", "--use-compress-program=base64", "-C"];
  const archive = await run([...tar, from, "--dereference", "-cf", "-", ...present]);
  await machine.type([...tar, to, "-xf", "-"].join(" "), { input: archive, log });
}

/** Makes the second disk that machine's cache of artifacts. */
export async function mountArtifacts(machine: Machine, log: Log): Promise<void> {
  const cache = "/root/.cache/pulumi-istio-vm/artifacts";
  await machine.type(`mkdir -p ${cache} && mount LABEL=artifacts ${cache}`, { log });
}

/** Clones this checkout there, as it is committed. */
export async function cloneCheckout(machine: Machine, log: Log): Promise<string> {
  const script = 'git bundle create --quiet - HEAD | "$@"';
  const inside = `cat >checkout.bundle && git clone --quiet checkout.bundle ${clone}`;
  await run(["bash", "-o", "pipefail", "-euc", script, "clone", ...machine.ssh, inside], { cwd: checkout, log });
  return (await machine.type(`git -C ${clone} log -1 --format="%h %s"`)).trim();
}

/** The image of a disk with those of the lab's artifacts that this machine's cache has; with none, if not `shared`. */
export async function artifactsImage(home: string, shared: boolean, log: Log): Promise<string> {
  const image = join(home, "artifacts.img");
  const staged = folder(home, "artifacts");
  for (const recipe of recipes.filter((each) => shared && isBuilt(each))) {
    const from = artifactPath(recipe);
    await run(["cp", "-al", from, join(staged, basename(from))], { log });
  }
  await run(["mke2fs", "-q", "-t", "ext4", "-L", "artifacts", "-d", staged, image, "20G"], { log });
  await run(["rm", "-r", staged], { log });
  return image;
}

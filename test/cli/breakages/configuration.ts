import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Breakage } from "../site";
import { operatorSpecOf, withOperatorSpec } from "../../support/testStack";

/** A file that is gone with this computer's other temporary files. */
function temporary(name: string, content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "istio-vm-cli-")), name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const LAB = () => process.env.ISTIO_VM_LAB!;

/** A kubeconfig whose user may only look, and not at secrets; written when it is needed. */
const powerless = { kubeconfig: join(mkdtempSync(join(tmpdir(), "istio-vm-cli-")), "kubeconfig") };

/** What is wrong in the configuration, or in what it refers to on this machine. */
export const configuration: Breakage[] = [
  {
    code: "IVM103",
    also: ["IVM206"],
    what: "an istioctl of another version",
    says: /istioctl is of version 1\.31\.0-\w+, but controlPlane\.install\.version is 1\.31\.1/,
    config: (config) => {
      const { install } = config.controlPlane as { install: object };
      return { ...config, controlPlane: { install: { ...install, version: "1.31.1" } } };
    },
  },
  {
    code: "IVM201",
    what: "a configuration with a mistake",
    says: /hosts\[0\]\.inboundPorts\[0\]: 22 is not allowed/,
    config: (config) => withHost(config, 0, { inboundPorts: [22] }),
  },
  {
    code: "IVM202",
    what: "a host without a known host key",
    says: /172\.30\.0\.22: \S+ has no ed25519 or ecdsa host key/,
    config: (config) => withHost(config, 1, { ssh: { knownHosts: "/dev/null" } }),
  },
  {
    code: "IVM203",
    what: "host keys that are not verified",
    says: /vm2.*whoever answers/,
    config: (config) => withHost(config, 1, { ssh: { verifyHostKey: false } }),
  },
  {
    code: "IVM201",
    what: "an SSH key that is none",
    says: /hosts\[1\]\.ssh\.key\.file: "[^"]+" is not a private key/,
    config: (config) => withHost(config, 1, { ssh: { key: { file: temporary("id", "not a key\n") } } }),
  },
  {
    code: "IVM201",
    what: "a package that is not what its digest says",
    says: /sidecar\.sha256: "0{64}" is not allowed; "[^"]+" has [0-9a-f]{64}/,
    config: (config) => ({
      ...config,
      sidecar: { file: temporary("istio-sidecar.deb", "no package"), sha256: "0".repeat(64) },
    }),
  },
  {
    code: "IVM208",
    what: "an ssh-agent that is gone, although a key is given",
    says: /SSH_AUTH_SOCK is \/tmp\/no-agent, where no ssh-agent answers \(ENOENT\)/,
    make: () => Promise.resolve((process.env.SSH_AUTH_SOCK = "/tmp/no-agent")),
    mend: () => Promise.resolve(delete process.env.SSH_AUTH_SOCK),
  },
  {
    code: "IVM301",
    what: "a cluster that does not answer",
    says: /127\.0\.0\.1:1|refused/,
    config: (config) => {
      const kubeconfig = readFileSync(join(LAB(), "kubeconfig"), "utf8").replace(
        /https:\/\/[^\s",}]+/,
        "https://127.0.0.1:1",
      );
      return { ...config, cluster: { kubeconfig: temporary("kubeconfig", kubeconfig) } };
    },
  },
  {
    code: "IVM303",
    what: "a user who may not do what the program does",
    says: /Forbidden/,
    config: (config) => ({ ...config, cluster: { kubeconfig: powerless.kubeconfig } }),
    make: async (site) => {
      await site.kubectl("create", "serviceaccount", "powerless");
      await site.kubectl(
        "create",
        "clusterrolebinding",
        "powerless",
        "--clusterrole=view",
        "--serviceaccount=default:powerless",
      );
      const token = (await site.kubectl("create", "token", "powerless")).trim();
      const kubeconfig = await site.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json");
      const { users, ...rest } = JSON.parse(kubeconfig) as { users: { name: string }[] };
      writeFileSync(
        powerless.kubeconfig,
        JSON.stringify({ ...rest, users: [{ name: users[0]!.name, user: { token } }] }),
        { mode: 0o600 },
      );
    },
    mend: async (site) => {
      await site.kubectl("delete", "clusterrolebinding", "powerless");
      await site.kubectl("delete", "serviceaccount", "powerless");
    },
  },
  {
    code: "IVM306",
    what: "a service range that is not the cluster's",
    says: /serviceCidr is 10\.0\.0\.0\/24, but .* 10\.96\.0\.0\/16/,
    config: (config) => ({ ...config, serviceCidr: "10.0.0.0/24" }),
  },
  {
    code: "IVM307",
    what: "an exposure at an address of no node",
    says: /172\.30\.0\.99/,
    config: (config) => ({ ...config, exposure: { type: "NodePort", nodeAddresses: ["172.30.0.99"] } }),
  },
  {
    code: "IVM309",
    what: "a namespace that somebody else made",
    says: /namespace taken is there already/,
    config: (config) => withService(config, "taken"),
    make: (site) => site.kubectl("create", "namespace", "taken"),
    mend: (site) => site.kubectl("delete", "namespace", "taken"),
  },
  {
    code: "IVM310",
    what: "an existing namespace that does not exist",
    says: /namespace absent does not exist/,
    config: (config) => within(withService(config, "absent"), "cluster", { existingNamespaces: ["default", "absent"] }),
  },
  {
    code: "IVM316",
    what: "an IstioOperator that istioctl refuses",
    says: /nonsense/,
    config: (config) => withOperatorSpec(config, { ...operatorSpecOf(config), profile: "nonsense" }),
  },
  {
    code: "IVM602",
    what: "a user who may not use sudo",
    says: /vm2.*powerless.*root/,
    config: (config) => withHost(config, 1, { ssh: { user: "powerless" } }),
    make: (site) =>
      site.sh(
        "vm2",
        "id powerless 2>/dev/null || useradd --create-home powerless; cp -r ~admin/.ssh ~powerless/; chown -R powerless: ~powerless",
      ),
    mend: (site) => site.sh("vm2", "userdel --remove powerless 2>/dev/null"),
  },
  {
    code: "IVM606",
    what: "a package that can't be fetched",
    says: /vm\d.*package/,
    config: (config) => within(config, "sidecar", { url: "http://172.30.0.1:8000/absent.deb" }),
  },
  {
    code: "IVM608",
    what: "a host with another key than the known one",
    says: /172\.30\.0\.22:22 answers with another host key/,
    config: (config) => {
      const known = readFileSync(join(LAB(), "ssh", "known_hosts"), "utf8");
      const [, key] = /^\S*172\.30\.0\.21\S* (ssh-ed25519 \S+)/m.exec(known)!;
      return withHost(config, 1, { ssh: { hostKey: key } });
    },
  },
];

type Config = Parameters<NonNullable<Breakage["config"]>>[0];

function within(config: Config, key: string, more: Config): Config {
  return { ...config, [key]: { ...(config[key] as Config), ...more } };
}

function withHost({ hosts, ...config }: Config, index: number, more: Config): Config {
  const changed = (hosts as Config[]).map((host, at) => (at === index ? { ...host, ...more } : host));
  return { ...config, hosts: changed };
}

function withService({ services, ...config }: Config, namespace: string): Config {
  const service = { name: "extra", namespace, hosts: ["vm1"], ports: [{ port: 8080 }] };
  return { ...config, services: [...(services as Config[]), service] };
}

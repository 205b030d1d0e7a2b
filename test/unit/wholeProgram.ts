/** The program, run under mocks with a whole configuration. */
import { createRequire } from "node:module";
import * as pulumi from "@pulumi/pulumi";
import { istioctl, type Outputs, runProgram, sshKeyPair, tlsOutputs, withAgentAt, withCommands } from "./support";

const { private: SSH_KEY, public: HOST_KEY } = sshKeyPair();
export { SSH_KEY };
/** Any file: kubectl is not the real one. */
export const KUBECONFIG = __filename;
const SAVED = process.env.PULUMI_CONFIG_SECRET_KEYS;
const PROJECT = "pulumi-istio-vm";

/** Nobody listens there: should a test fail half way, nothing is dialled. */
export const NOWHERE = { host: "127.0.0.1", hostKey: HOST_KEY };

export const config = {
  cluster: { kubeconfig: KUBECONFIG, context: "east", name: "east", trustDomain: "example.org" },
  controlPlane: { install: { version: "1.31.0" } },
  exposure: { type: "NodePort", nodeAddresses: ["192.168.17.150"] },
  ssh: { port: 1, user: "admin", key: { secret: "sshKey" } },
  sidecar: { url: "https://example.org/sidecar.deb", sha256: "a".repeat(64) },
  hosts: [
    { name: "vm1", address: "10.0.0.1", ssh: NOWHERE, namespace: "vm", inboundPorts: [3306, 8080] },
    {
      name: "vm2",
      ssh: { ...NOWHERE, port: 2 },
      address: "10.0.0.2",
      namespace: "db",
      serviceAccount: "mysql",
      inboundPorts: "*",
      labels: { v: "2" },
    },
  ],
  services: [{ name: "mysql", namespace: "db", hosts: ["vm1", "vm2"], ports: [{ port: 3306, protocol: "TCP" }] }],
  sampleClient: {},
};

export const manifest = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gateways.networking.istio.io}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}
spec: {template: {metadata: {labels: {app: istiod}}}}
---
apiVersion: v1
kind: Service
metadata: {name: istiod, namespace: istio-system}
spec: {type: ClusterIP, ports: [{port: 15012}]}
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {type: LoadBalancer, ports: [{name: a, port: 15012}, {name: b, port: 15017}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: istio-validator-istio-system}
webhooks: [{name: a, failurePolicy: Ignore, clientConfig: {caBundle: "", service: {name: istiod}}}]`;
export const commands = {
  istioctl: istioctl("1.31.0", manifest),
  kubectl: `[ "$1 $2 $3 $4" = "--kubeconfig ${KUBECONFIG} --context east" ] || exit 1
    case "$*" in
      *serviceaccounts*) echo '{"items": [{"metadata": {"name": "default"}}, {"metadata": {"name": "theirs"}}]}' ;;
      *) echo '{"items": [{"spec": {"cidrs": ["10.32.0.0/24"]}}]}' ;;
    esac`,
};

/** index.ts, run anew: a module is a program. */
const load = createRequire(__filename);
function program() {
  const path = load.resolve("../../index");
  delete load.cache[path];
  return (load(path) as typeof import("../../index"))();
}

/**
 * @param changes of the configuration
 * @param tools what stands on the PATH
 * @param tls what the tls provider answers
 */
export function run(
  changes: object = {},
  preview = false,
  agent?: string,
  tools = commands,
  tls: Outputs = tlsOutputs,
) {
  const values = { ...config, sshKey: SSH_KEY, ...changes };
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  const raw = present.map(([key, value]): [string, string] => [
    `${PROJECT}:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const secrets = JSON.stringify(raw.map(([key]) => key).filter((key) => /Key$/.test(key)));
  pulumi.runtime.setAllConfig(Object.fromEntries(raw));
  process.env.PULUMI_CONFIG_SECRET_KEYS = secrets;
  const execute = () =>
    runProgram(program, {
      preview,
      outputs: async (resource) => {
        const { type, name } = resource;
        if (preview) return {};
        if (type === "random:index/randomId:RandomId") return { hex: "0123456789abcdef" };
        if (name === "exposure-istio-ingressgateway")
          return { status: { loadBalancer: { ingress: [{ ip: "192.168.17.151" }] } } };
        if (name === "exposure-istiod") return { spec: { ports: [{ port: 15012, nodePort: 31794 }] } };
        if (type === "command:remote:Command") return { stdout: `checked\n${name}: in sync\n` };
        return tls(resource);
      },
    });
  return withAgentAt(agent, () => withCommands(tools, execute));
}

/** Gives back the configuration of whoever runs the tests. */
export function restoreConfig(): void {
  pulumi.runtime.setAllConfig({});
  if (SAVED === undefined) delete process.env.PULUMI_CONFIG_SECRET_KEYS;
  else process.env.PULUMI_CONFIG_SECRET_KEYS = SAVED;
}

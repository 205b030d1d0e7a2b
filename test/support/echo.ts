/** Istio's echo (lab/recipes/echo.ts) in pods and on VMs: it answers by every protocol, and says who asked how. */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { artifactPath } from "../../lab/artifacts";
import { leaderOf } from "../../lab/cgroups";
import { folder, type Lab } from "../../lab/paths";
import { echo } from "../../lab/recipes/echo";
import { run, until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { injectionLabels } from "../../mesh/injection";
import { DEFAULT_REVISION } from "../../mesh/istiod";
import { apply, kubectl } from "../e2e/mesh";

const FOLDER = "/opt/echo";

/** Its ports, by what is spoken there. */
export const PORTS = {
  http: 8081,
  http2: 8082,
  grpc: 7070,
  tcp: 9090,
  serverFirst: 9091,
  tls: 8443,
  udp: 9092,
} as const;

const ARGS = [
  ...[
    `--port=${PORTS.http},${PORTS.http2},${PORTS.tls}`,
    `--grpc=${PORTS.grpc}`,
    `--tcp=${PORTS.tcp},${PORTS.serverFirst}`,
  ],
  ...[`--server-first=${PORTS.serverFirst}`, `--udp=${PORTS.udp}`, `--tls=${PORTS.tls}`],
  ...[`--crt=${FOLDER}/tls.crt`, `--key=${FOLDER}/tls.key`, "--metrics=0"],
];

/** Puts echo where programs of a machine of the lab find it, and a certificate of the application's own. */
async function install(lab: Lab, machine: string): Promise<void> {
  const to = folder(`/proc/${leaderOf(lab, machine)}/root`, FOLDER);
  for (const name of ["server", "client", "stream"]) {
    rmSync(join(to, name), { force: true }); // one that runs can't be written over
    copyFileSync(join(artifactPath(echo), "bin", name), join(to, name));
  }
  const pair = ["-keyout", join(to, "tls.key"), "-out", join(to, "tls.crt")];
  const how = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=application".split(" ");
  await run(["openssl", "req", ...how, ...pair]);
}

/** A place from which something is asked, and which answers. */
export interface Place {
  /** Its hostname, as it says itself. */
  name: string;
  /** Runs a program there. @returns what it printed, and how it ended */
  run: (argv: string[]) => Promise<string>;
}

/** Starts echo on a VM: it ends with the VM, or when the VM gets a fresh disk. */
export async function echoOnVm(lab: Lab, vm: string): Promise<Place> {
  await install(lab, vm);
  await vmExec(lab, vm, ["systemd-run", "--quiet", "--unit=echo", `${FOLDER}/server`, ...ARGS]);
  await until(`echo on ${vm}`, 20, async () =>
    (await vmExec(lab, vm, ["ss", "-Hltn", `sport = :${PORTS.serverFirst}`])).includes("LISTEN"),
  );
  return { name: vm, run: (argv) => vmExec(lab, vm, argv) };
}

/** How a pod differs from others. */
interface PodOptions {
  /** Folders of the node that it has as well. */
  mounts?: string[];
  /** By which it asks for a sidecar. Default: for that of the revision `default`. */
  injection?: Record<string, string>;
  /** Seconds for which it goes on to serve when it is to end, so that nobody is sent to it any more. Default: 0. */
  grace?: number;
  /** Whether its Service has an address of each family. Default: of the cluster's first. */
  dualStack?: boolean;
}

/** Starts echo in a pod of the mesh, with a Service and an account of that name. */
export async function echoInPod(
  lab: Lab,
  name: string,
  namespace: string,
  { mounts = [], injection = injectionLabels(DEFAULT_REVISION), grace = 0, dualStack = false }: PodOptions = {},
): Promise<Place> {
  await install(lab, "node");
  const metadata = { name, namespace };
  const labels = { app: name };
  await apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        ...(dualStack ? { ipFamilyPolicy: "RequireDualStack" } : {}),
        selector: labels,
        ports: servicePorts().map(({ name, port, targetPort }) => ({ name, port, targetPort })),
      },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        selector: { matchLabels: labels },
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels: { ...labels, ...injection } },
          spec: {
            serviceAccountName: name,
            terminationGracePeriodSeconds: 2 * grace,
            hostname: name,
            containers: [
              {
                name: "echo",
                image: "lab.local/tools:1",
                imagePullPolicy: "Never",
                command: [`${FOLDER}/server`, ...ARGS],
                ...(grace > 0 ? { lifecycle: { preStop: { sleep: { seconds: grace } } } } : {}),
                volumeMounts: [FOLDER, ...mounts].map((path, n) => ({ name: `v${n}`, mountPath: path })),
              },
            ],
            volumes: [FOLDER, ...mounts].map((path, n) => ({ name: `v${n}`, hostPath: { path } })),
          },
        },
      },
    },
  );
  await kubectl("rollout", "status", `deploy/${name}`, `--namespace=${namespace}`, "--timeout=60s");
  const exec = ["exec", `deploy/${name}`, `--namespace=${namespace}`, "--container=echo", "--"];
  return { name, run: (argv) => kubectl(...exec, ...argv) };
}

/** Ends such pods of the namespace `default`, with their Services and accounts. */
export const endEcho = (...names: string[]) =>
  kubectl("delete", "deployment,service,serviceaccount", ...names, "--namespace=default", "--ignore-not-found");

/** The ports of a service of echo, as Istio is to know them. */
export function servicePorts() {
  return [
    { name: "http", port: PORTS.http, targetPort: PORTS.http, protocol: "HTTP" },
    { name: "http2", port: PORTS.http2, targetPort: PORTS.http2, protocol: "HTTP2" },
    { name: "grpc", port: PORTS.grpc, targetPort: PORTS.grpc, protocol: "GRPC" },
    { name: "tcp", port: PORTS.tcp, targetPort: PORTS.tcp, protocol: "TCP" },
    { name: "tcp-first", port: PORTS.serverFirst, targetPort: PORTS.serverFirst, protocol: "TCP" },
    { name: "tls", port: PORTS.tls, targetPort: PORTS.tls, protocol: "TLS" },
  ];
}

/** Keeps a gRPC call open that streams both ways, for so many messages of 100 ms. @throws unless all are answered */
export const stream = (from: Place, host: string, messages: number) =>
  from.run([`${FOLDER}/stream`, `${host}:${PORTS.grpc}`, `${messages}`]);

/** Who asked, by what the answering end saw of the certificate. */
export const clientIn = (said: string) => /X-Forwarded-Client-Cert:.*?URI=([^;,\s]*)/i.exec(said)?.[1];

/** What was answered. */
export interface Echo {
  /** Who answered. */
  hostname?: string;
  status?: string;
  protocol?: string;
  /** Who asked, as the certificate at the other end of the mesh says; not known by a protocol without headers. */
  client?: string;
  said: string;
}

/** Asks from a place. A failure is an answer, too. */
export async function ask(from: Place, url: string, ...flags: string[]): Promise<Echo> {
  const said = await from
    .run([`${FOLDER}/client`, "--timeout=5s", ...flags, url])
    .catch((error: Error) => error.message);
  const field = (name: string) => new RegExp(`^\\[0(?: body)?\\] ${name}=(.*)$`, "m").exec(said)?.[1];
  return {
    hostname: field("Hostname"),
    status: field("StatusCode"),
    protocol: field("Proto"),
    client: clientIn(said),
    said,
  };
}

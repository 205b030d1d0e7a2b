/** A real etcd, API server and controller manager on free ports of the loopback address. */
import { ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Api } from "../../../lab/plugins/kubernetes/api";
import { connectionFrom } from "../../../lab/plugins/kubernetes/kubeconfig";

export interface RealCluster {
  kubeconfig: string;
  api: Api;
  stop(): Promise<void>;
}

/**
 * Starts them. `hyperkube`: the multi-call binary of the lab; etcd lies beside it. Throws with the folder of the logs if
 * the API server is not ready within a minute.
 */
export async function startCluster(hyperkube: string): Promise<RealCluster> {
  const folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
  const path = (name: string) => join(folder, name);
  const [client, peer, secure, manager] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  writeFileSync(path("sa.key"), privateKey, { mode: 0o600 });
  writeFileSync(path("sa.pub"), publicKey);
  writeFileSync(path("tokens.csv"), "t0ken,admin,admin,system:masters\n", { mode: 0o600 });

  const children: ChildProcess[] = [];
  const start = (name: string, file: string, args: string[]) => {
    const log = openSync(path(`${name}.log`), "a");
    children.push(spawn(file, args, { stdio: ["ignore", log, log] }));
  };
  start("etcd", join(hyperkube, "..", "etcd"), [
    `--data-dir=${path("etcd")}`,
    `--listen-client-urls=http://127.0.0.1:${client}`,
    `--advertise-client-urls=http://127.0.0.1:${client}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=default=http://127.0.0.1:${peer}`,
    "--unsafe-no-fsync",
  ]);
  start("kube-apiserver", hyperkube, [
    "kube-apiserver",
    `--etcd-servers=http://127.0.0.1:${client}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${secure}`,
    `--cert-dir=${path("serving")}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    `--token-auth-file=${path("tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${path("sa.pub")}`,
    `--service-account-signing-key-file=${path("sa.key")}`,
  ]);

  const stop = async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true });
  };
  const kubeconfig = () =>
    JSON.stringify({
      clusters: [
        {
          name: "real",
          cluster: {
            server: `https://127.0.0.1:${secure}`,
            // Self-signed, so it is its own authority.
            "certificate-authority-data": readFileSync(path("serving/apiserver.crt")).toString("base64"),
          },
        },
      ],
      users: [{ name: "admin", user: { token: "t0ken" } }],
      contexts: [{ name: "real", context: { cluster: "real", user: "admin" } }],
      "current-context": "real",
    });
  const api = await ready(kubeconfig, `the API server did not start: see ${folder}`);
  writeFileSync(path("kubeconfig"), kubeconfig(), { mode: 0o600 });
  start("kube-controller-manager", hyperkube, [
    "kube-controller-manager",
    `--kubeconfig=${path("kubeconfig")}`,
    `--service-account-private-key-file=${path("sa.key")}`,
    `--secure-port=${manager}`,
    "--bind-address=127.0.0.1",
    "--leader-elect=false",
  ]);
  return { kubeconfig: kubeconfig(), api, stop };
}

/** The API, once it serves the namespace `default`. */
async function ready(kubeconfig: () => string, failure: string): Promise<Api> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const api = new Api(connectionFrom({ kubeconfig: kubeconfig() }));
      await api.get({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
      return api;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(failure, { cause: error });
    }
    await delay(200);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Folders with tools that the command line calls, for tests of a whole command in a process of its own. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CONFIG = {
  controlPlane: { install: { version: "1.31.0" } },
  exposure: { type: "NodePort", nodeAddresses: ["10.0.0.1"] },
  sidecar: { url: "http://10.0.0.2/istio-sidecar.deb", sha256: "0".repeat(64) },
  ssh: { knownHosts: "/dev/null" },
  hosts: [
    { name: "vm1", address: "10.0.0.3", namespace: "vm", inboundPorts: [8080] },
    { name: "vm2", address: "10.0.0.4", namespace: "vm", inboundPorts: [8080], gone: true },
  ],
};

/** A fresh folder with scripts by name, and a pulumi that has one stack: vm1, whose host key nobody knows, and vm2, gone. */
export function fakeTools(scripts: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "istio-vm-tools-"));
  const values = Object.entries(CONFIG).map(([key, value]) => [
    `pulumi-istio-vm:${key}`,
    { value: typeof value === "string" ? value : JSON.stringify(value), secret: false },
  ]);
  const config = JSON.stringify(Object.fromEntries(values));
  const pulumi = `case $1 in config) echo '${config}' ;; *) echo '{}' ;; esac`;
  for (const [name, script] of Object.entries({ pulumi, ...scripts })) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return folder;
}

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, parseConfig } from "../../../config";
import { sshKeyPair, withDirectory } from "../support";

/** What a configuration is refused for, with these fields. */
function problems(fields: Record<string, unknown>): string[] {
  const values = { controlPlane: { install: { version: "1.31.0" } }, exposure: { type: "LoadBalancer" }, ...fields };
  const raw = Object.entries(values).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  try {
    parseConfig({ values: Object.fromEntries(raw) as Record<string, string>, isSecret: () => false });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

describe("the sidecar package as a file", () => {
  it("must be what its digest says", () =>
    withDirectory((directory) => {
      const file = join(directory, "sidecar.deb");
      // More than is read at once.
      const content = Buffer.alloc((1 << 20) + 17, "x");
      writeFileSync(file, content);
      const digest = createHash("sha256").update(content).digest("hex");
      assert.deepEqual(problems({ sidecar: { file, sha256: digest } }), []);
      const other = "0".repeat(64);
      assert.deepEqual(problems({ sidecar: { file, sha256: other } }), [
        `sidecar.sha256: "${other}" is not allowed; "${file}" has ${digest}`,
      ]);
      const host = {
        name: "vm1",
        address: "10.0.0.1",
        namespace: "vm",
        inboundPorts: [],
        sidecar: { file, sha256: other },
      };
      assert.deepEqual(problems({ sidecar: { file, sha256: digest }, hosts: [host] }), [
        `hosts[0].sidecar.sha256: "${other}" is not allowed; "${file}" has ${digest}`,
      ]);
    }));
});

describe("SSH keys in files", () => {
  it("must open, wherever they are named", () =>
    withDirectory((directory) => {
      const pair = sshKeyPair();
      const write = (name: string, text: string) => {
        const file = join(directory, name);
        writeFileSync(file, text);
        return { file };
      };
      const [good, bad] = [write("id", pair.private), write("id.pub", pair.public)];
      const host = { name: "vm1", address: "10.0.0.1", namespace: "vm", inboundPorts: [] };
      const sidecar = { url: "https://example.org/a.deb", sha256: "0".repeat(64) };
      const wrong = "is a public key: the private one is in the file without .pub";
      assert.deepEqual(
        problems({
          sidecar,
          ssh: { key: bad, bastion: { host: "b", key: good } },
          hosts: [{ ...host, ssh: { key: good, bastion: { host: "c", key: bad } } }],
        }),
        ["ssh", "hosts[0].ssh.bastion"].map((place) => `${place}.key.file: "${bad.file}" ${wrong}`),
      );
    }));
});

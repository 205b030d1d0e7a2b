import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, parseConfig } from "../../../config";
import { controlPlaneManifest } from "../../../tools/istioctl";
import { istioctl, withCommands, withDirectory } from "../support";

describe("the manifest of the control plane", () => {
  const config = (operator = "{}", type = "NodePort"): Config =>
    parseConfig({
      values: {
        controlPlane: `{"install": {"version": "1.31.0", "operator": ${operator.startsWith("{") ? operator : JSON.stringify(operator)}}}`,
        exposure: JSON.stringify(type === "NodePort" ? { type, nodeAddresses: ["10.0.0.1"] } : { type }),
        sidecar: JSON.stringify({ url: "https://example.org/sidecar.deb", sha256: "a".repeat(64) }),
      },
      isSecret: () => false,
    });
  const manifest = `
apiVersion: v1
kind: Service
metadata: {name: istiod, namespace: istio-system}
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {ports: [{port: 15012, name: a}, {port: 15017, name: b}]}`;

  for (const type of ["NodePort", "LoadBalancer"]) {
    it(`is made of the user's IstioOperator as it was written, with ours laid upon it, for ${type}`, () =>
      withDirectory(async (directory) => {
        const [first, last, args] = ["first", "last", "args"].map((name) => join(directory, name));
        const script = istioctl("1.31.0", manifest).replace(
          "cat >/dev/null",
          `cat >${last}; f=\${3#--filename=}; cp "$f" ${first}; echo "$*" >${args}`,
        );
        const text = "kind: IstioOperator\nspec: {hub: lab, values: {a: yes, b: 0x1F}} # mine\n";
        writeFileSync(join(directory, "o.yaml"), text);
        const objects = await withCommands({ istioctl: script }, () =>
          controlPlaneManifest(config(join(directory, "o.yaml"), type)),
        );
        assert.deepEqual(
          objects.map(({ metadata }) => metadata.name),
          ["istiod", "istio-ingressgateway"],
        );
        assert.equal(readFileSync(first!, "utf8"), text);
        const { spec } = JSON.parse(readFileSync(last!, "utf8")) as { spec: { meshConfig: { trustDomain: string } } };
        assert.equal(spec.meshConfig.trustDomain, "cluster.local");
        const given = readFileSync(args!, "utf8").trim().split(" ");
        assert.equal(existsSync(given[2]!.replace("--filename=", "")), false, "the copy stays");
        const ports = given.filter((arg) => /\.port=/.test(arg)).map((arg) => Number(arg.split("=").at(-1)));
        assert.deepEqual(ports, type === "NodePort" ? [] : [15021, 80, 443, 15012, 15017]);
      }));
  }

  const failures: [string, Record<string, string>, RegExp][] = [
    [
      "istioctl is missing",
      {},
      /^Error: IVM102 istioctl is not on the PATH: install the version that controlPlane.install.version names$/,
    ],
    [
      "istioctl is of another version",
      { istioctl: istioctl("1.30.2", manifest) },
      /^Error: IVM103 istioctl is of version 1\.30\.2, but controlPlane.install.version is 1\.31\.0: put istioctl 1\.31\.0 on the PATH, or change controlPlane.install.version$/,
    ],
    ["istioctl does not tell its version", { istioctl: "echo {}" }, /istioctl is of version unknown \(it says/],
    [
      "istioctl can't tell its version",
      { istioctl: "echo broken >&2; exit 1" },
      /^Error: istioctl version --remote=false --output=json failed:\nbroken$/,
    ],
    [
      "istioctl refuses the IstioOperator",
      { istioctl: istioctl("1.31.0", manifest).replace("cat <<", "echo 'unknown field \"x\"' >&2; exit 1; cat <<") },
      /^Error: istioctl manifest generate --filename=- failed:\nunknown field "x"$/,
    ],
    ["the manifest is none", { istioctl: istioctl("1.31.0", "hello") }, /has a document without apiVersion/],
  ];
  for (const [what, commands, error] of failures) {
    it(`fails when ${what}`, () =>
      withCommands(commands, () => assert.rejects(controlPlaneManifest(config()), error), "/usr/bin:/bin"));
  }

  it("fails where hosts could not join what it installs", () =>
    withCommands({ istioctl: istioctl("1.31.0", manifest.replaceAll("istiod", "istiod-canary")) }, () =>
      assert.rejects(
        controlPlaneManifest(config()),
        /^Error: hosts could not join .*:\n {2}there is no istiod in istio-system/,
      ),
    ));
});

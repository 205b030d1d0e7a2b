import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, parseConfig } from "../../../config";
import { controlPlaneManifest } from "../../../tools/istioctl";
import { istioctl, withCommands, withDirectory } from "../support";

describe("the manifest of the control plane", () => {
  const config = (istioOperator: object = {}, type = "NodePort"): Config =>
    parseConfig({
      values: {
        istioVersion: "1.31.0",
        istioOperator: JSON.stringify(istioOperator),
        exposure: JSON.stringify(type === "NodePort" ? { type, nodeAddress: "10.0.0.1" } : { type }),
        sidecar: JSON.stringify({ url: "https://example.org/sidecar.deb", sha256: "a".repeat(64) }),
      },
      isSecret: () => false,
    });
  const manifest = `
apiVersion: v1
kind: Service
metadata: {name: istiod, namespace: istio-system}`;

  for (const [type, istiodPorts] of [
    ["NodePort", []],
    ["LoadBalancer", [15012, 15017]],
  ] as const) {
    it(`is made of the user's IstioOperator laid upon the defaults, with the gateway's ports for ${type}`, () =>
      withDirectory(async (directory) => {
        const given = join(directory, "given.yaml");
        const script = istioctl("1.31.0", manifest).replace("/dev/null", given);
        const objects = await withCommands({ istioctl: script }, () =>
          controlPlaneManifest(config({ spec: { hub: "lab" } }, type)),
        );
        assert.deepEqual(objects, [
          { apiVersion: "v1", kind: "Service", metadata: { name: "istiod", namespace: "istio-system" } },
        ]);
        const { spec } = JSON.parse(readFileSync(given, "utf8")) as {
          spec: {
            hub: string;
            profile: string;
            meshConfig: object;
            components: { ingressGateways: [{ k8s: { service: { ports: { port: number }[] } } }] };
          };
        };
        assert.deepEqual(
          [spec.hub, spec.profile, spec.meshConfig],
          ["lab", "default", { trustDomain: "cluster.local" }],
        );
        assert.deepEqual(
          spec.components.ingressGateways[0].k8s.service.ports.map(({ port }) => port),
          [15021, 80, 443, ...istiodPorts],
        );
      }));
  }

  const failures: [string, Record<string, string>, RegExp][] = [
    [
      "istioctl is missing",
      {},
      /^Error: IVM102 istioctl is not on the PATH: install the version that istioVersion names$/,
    ],
    [
      "istioctl is of another version",
      { istioctl: istioctl("1.30.2", manifest) },
      /^Error: IVM103 istioctl is of version 1\.30\.2, but istioVersion is 1\.31\.0: put istioctl 1\.31\.0 on the PATH, or change istioVersion$/,
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

  it("fails when the IstioOperator contradicts the configuration", () =>
    withCommands({ istioctl: istioctl("1.31.0", manifest) }, () =>
      assert.rejects(
        controlPlaneManifest(config({ spec: { meshConfig: { trustDomain: "x" } } })),
        /spec\.meshConfig\.trustDomain is "x", not "cluster\.local"/,
      ),
    ));
});

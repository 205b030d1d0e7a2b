import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { parseConfig } from "../../config";
import { EXAMPLES } from "../examples";

const CHECKOUT = join(__dirname, "../..");
const PREFIX = "pulumi-istio-vm:";
type Values = Record<string, Record<string, unknown>>;

function configIn(file: string): Values {
  const { config } = load(readFileSync(join(CHECKOUT, file), "utf8")) as { config: Values };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key.slice(PREFIX.length), value]));
}

describe("examples", () => {
  const dev = configIn("Pulumi.dev.yaml");
  const files = readdirSync(join(CHECKOUT, "examples"));

  it("have a file each, and something that shows that they work", () =>
    assert.deepEqual(
      files.sort(),
      Object.keys(EXAMPLES)
        .map((name) => `${name}.yaml`)
        .sort(),
    ));

  for (const file of files) {
    describe(file, () => {
      const example = configIn(join("examples", file));

      it("is a stack that the program takes", () => {
        // Files of the lab are there when it is.
        const ssh = { user: dev.ssh!.user, key: { agent: true }, verifyHostKey: false };
        const values = { ...example, cluster: {}, sidecar: dev.sidecar, ssh };
        const texts = Object.entries(values).map(([key, value]) => [
          key,
          typeof value === "string" ? value : JSON.stringify(value),
        ]);
        parseConfig({ values: Object.fromEntries(texts) as Record<string, string>, isSecret: () => false });
      });

      it("is of the lab of Pulumi.dev.yaml", () => {
        for (const key of ["cluster", "ssh", "sampleClient"]) assert.deepEqual(example[key], dev[key]);
        assert.equal(example.sidecar!.sha256, dev.sidecar!.sha256);
        const install = example.controlPlane!.install as { version: string } | undefined;
        if (install) assert.equal(install.version, (dev.controlPlane!.install as { version: string }).version);
      });
    });
  }
});

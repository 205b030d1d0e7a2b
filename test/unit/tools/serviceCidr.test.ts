import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { detectServiceCidr } from "../../../tools/serviceCidr";
import { withCommands, withDirectory } from "../support";

describe("detectServiceCidr", () => {
  const refused = `echo 'The range of valid IPs is 10.97.0.0/16' >&2; exit 1`;
  const kubectl = (get: string, create = "exit 99") => ({
    kubectl: `case "$*" in *" get servicecidrs.networking.k8s.io --output=json") ${get} ;;
      *" create service clusterip "*" --dry-run=server") ${create} ;;
      *) echo "unexpected: $*" >&2; exit 98 ;; esac`,
  });
  const none = `echo "error: the server doesn't have a resource type \\"servicecidrs\\"" >&2; exit 1`;
  const forbidden = `echo 'Error from server (Forbidden): servicecidrs is forbidden' >&2; exit 1`;
  const detect = (commands: Record<string, string>) => withCommands(commands, () => detectServiceCidr({}), "/usr/none");

  for (const [what, commands, range] of [
    [
      "ServiceCIDR objects",
      kubectl(`echo '{"items": [{"spec": {"cidrs": ["10.96.0.0/16", "fd00::/108"]}}]}'`),
      "10.96.0.0/16,fd00::/108",
    ],
    ["the refusal, where there is no such kind", kubectl(none, refused), "10.97.0.0/16"],
    ["the refusal, where one may not read it", kubectl(forbidden, refused), "10.97.0.0/16"],
    ["the refusal, where there is no object", kubectl(`echo '{"items": []}'`, refused), "10.97.0.0/16"],
    ["nowhere: *", kubectl(none, "echo forbidden >&2; exit 1"), "*"],
    ["nowhere, when nobody refuses: *", kubectl(none, "exit 0"), "*"],
  ] as const) {
    it(`takes it from ${what}`, async () => assert.equal(await detect(commands), range));
  }

  it("says when kubectl is missing or the cluster does not answer", async () => {
    await assert.rejects(
      detect({}),
      /^Error: serviceCidr: auto needs kubectl on the PATH; or set serviceCidr to the range$/,
    );
    await assert.rejects(
      detect(kubectl("echo 'connection refused' >&2; exit 1")),
      /^Error: serviceCidr: auto could not ask the cluster: connection refused$/,
    );
  });

  it("asks the cluster that is configured, with a limit of time", () =>
    withDirectory(async (directory) => {
      const log = join(directory, "log");
      const commands = { kubectl: `echo "$*" >>'${log}'; ${forbidden}` };
      await withCommands(
        commands,
        () => detectServiceCidr({ kubeconfig: "/a b/config", context: "east" }),
        "/usr/none",
      );
      const asked = readFileSync(log, "utf8").trim().split("\n");
      assert.equal(asked.length, 2);
      for (const line of asked) assert.match(line, /^--kubeconfig \/a b\/config --context east --request-timeout=10s /);
    }));
});

import assert from "node:assert/strict";
import { vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { HOSTS, type Site } from "./site";
import { kubectl, SERVICE_URL, sharesOf } from "../mesh";

const REQUESTS = 100;

/** Who gets how much. */
export function sharing(site: Site): void {
  it("each host gets a share", async () => {
    const answers = await sharesOf(REQUESTS);
    for (const name of HOSTS) assert.ok(answers.get(name)! > REQUESTS / 10, JSON.stringify([...answers]));
  });

  it("a host with more weight gets a larger one", async () => {
    await site.configure({ vm1: { weight: 8 }, vm2: { weight: 1 }, vm3: { weight: 1 } });
    let last: Map<string, number> | undefined;
    await until(
      "vm1 to get most of the requests",
      20,
      async () => (last = await sharesOf(REQUESTS)).get("vm1")! > REQUESTS / 2,
      () => JSON.stringify([...last!]),
    );
    assert.ok(last!.get("vm2")! > 0 && last!.get("vm3")! > 0, JSON.stringify([...last!]));
  });

  describe("localities", () => {
    const [near, far] = ["here/a/1", "there/b/2"];
    /** vm3, which asks, is near vm1. */
    const asking = async () => {
      const script = `for i in $(seq 20); do curl --silent --max-time 5 ${SERVICE_URL} | head -n 1; done | sort | uniq -c`;
      return site.sh("vm3", script);
    };
    const untilAnswered = async (by: string) => {
      let last = "";
      await until(
        `${by} to answer vm3 every time`,
        30,
        async () => /^ *20 This is (\w+)\.$/.exec((last = (await asking()).trim()))?.[1] === by,
        () => last,
      );
    };

    before(() =>
      site.configure({
        vm1: { locality: near },
        vm2: { locality: far },
        vm3: { locality: near },
        service: { hosts: ["vm1", "vm2"], trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 } } },
      }),
    );
    after(() => site.sh("vm1", "systemctl start app"));

    it("a host asks what is near", () => untilAnswered("vm1"));

    it("and what is far when that is sick", async () => {
      await site.sh("vm1", "systemctl stop app");
      await untilAnswered("vm2");
    });

    it("are what istiod knows of the hosts", async () => {
      const path = "jsonpath={range .items[*]}{.spec.address} {.spec.locality}{'\\n'}{end}";
      const text = await kubectl("get", "workloadentries", "--namespace=vm", `--output=${path}`);
      assert.ok(text.includes(`${vmByName(site.lab, "vm2").address} ${far}`), text);
    });
  });
}

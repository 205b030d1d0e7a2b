import assert from "node:assert/strict";
import { assertSame } from "../../support/snapshot";
import { askFromPod, askPlainly, kubectl } from "../../e2e/mesh";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

/** Each drops by default, and opens what the host served before it joined. */
const RULE_SETS: Record<string, { make: string; unmake: string; says: RegExp[] }> = {
  "iptables, as one writes it by hand": {
    make: `
      iptables -A INPUT -i lo -j ACCEPT
      iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
      iptables -A INPUT -p tcp -m multiport --dports 22,8080 -j ACCEPT
      iptables -P INPUT DROP`,
    unmake: "iptables -P INPUT ACCEPT; iptables -F INPUT",
    says: [/port 8080 come in at port 15006 .*\(iptables-nft, table filter, chain INPUT: policy drop\)/],
  },
  "iptables, with a chain of its own that rejects": {
    make: `
      iptables -N guard
      iptables -A guard -i lo -j RETURN
      iptables -A guard -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
      iptables -A guard -p tcp -m tcp --dport 22 -j RETURN
      iptables -A guard -p tcp -m tcp --dport 8000:9000 -j RETURN
      iptables -A guard -p tcp -j REJECT --reject-with tcp-reset
      iptables -A INPUT -j guard`,
    unmake: "iptables -F INPUT; iptables -F guard; iptables -X guard",
    says: [/come in at port 15006 .*chain INPUT: guard: -A guard -p tcp -j REJECT/],
  },
  "nft, what comes in and what goes out": {
    make: `nft -f - <<END
table inet guard {
  chain inbound {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    tcp dport { 22, 8080 } accept
  }
  chain outbound {
    type filter hook output priority filter; policy drop;
    ct state established,related accept
    oif lo accept
    ip daddr 172.30.0.0/16 accept
    ip daddr 10.0.0.0/8 accept
  }
}
END`,
    unmake: "nft delete table inet guard",
    says: [
      /port 8080 come in at port 15006 .*\(nft, table inet guard, chain inbound: policy drop\)/,
      /to the mesh go to port 15001 .*\(nft, table inet guard, chain outbound: policy drop\)/,
    ],
  },
};

/** The commands that the findings advise. */
const advised = (output: string) =>
  [...output.matchAll(/IVM718 .*\): (.*?)(, and the same where its rules are kept)?$/gm)].map(
    ([, command]) => command!,
  );

export function firewalls(mesh: Mesh): void {
  describe("a firewall that opens only the application's port", () => {
    let host: Host;
    before(async () => {
      host = mesh.host("vm3");
      await host.reset();
    });

    /** By a new connection: those of a pod's sidecar may be older than the rules. */
    const answer = (port: number) => askPlainly(host.address, port).catch((error: Error) => error.message);
    /** What the host gets from the mesh, by istiod's own service. */
    const toMesh = async () => {
      const address = await kubectl(
        "get",
        "service",
        "--namespace=istio-system",
        "istiod",
        "-ojsonpath={.spec.clusterIP}",
      );
      return host.sh(`curl -sS --max-time 3 http://${address.trim()}:15014/version`);
    };

    for (const [what, { make, unmake, says }] of Object.entries(RULE_SETS)) {
      it(`is found before the join, and the advice lets all through: ${what}`, async () => {
        await host.sh(make);
        try {
          assert.equal(await answer(8080), "answered", "there is no sidecar yet");
          const before = await host.snapshot();
          const { exitCode, output } = await host.join();
          assert.equal(exitCode, 3, output);
          assertSame(before, await host.snapshot(), host.name);
          for (const words of says) assert.match(output, words);
          assert.equal(output.match(/^ {2}- /gm)?.length, says.length, output);

          for (const command of advised(output)) await host.sh(command);
          await host.mustJoin();
          assert.equal(await answer(8080), "answered");
          await askFromPod(`http://${host.address}:8080`);
          assert.match(await toMesh(), /^1\.\d+/);
          // Nobody is served at that port itself: the sidecar ends such a connection.
          assert.match(await answer(15006), /^refused$|status 52/);
          // And it was the rules: the same packets without what was advised.
          await host.sh(`${unmake}; ${make}`);
          assert.match(await answer(8080), /status (28|7|56)|refused/);
          if (says.length > 1) await assert.rejects(toMesh());
        } finally {
          await host.sh(unmake);
          await host.leave();
        }
      });
    }
  });
}

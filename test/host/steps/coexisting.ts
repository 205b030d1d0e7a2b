import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { askFromPod } from "../../e2e/mesh";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

import { assertRestored } from "../restored";
import { THOROUGH } from "../times";

const fixture = (name: string) => readFileSync(join(__dirname, "../../fixtures", `${name}.txt`), "utf8");

/** As an operator writes one by hand, with all that nft has and iptables has not. */
const OWN_NFT = `table inet guard {
	set admins {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 172.30.0.0/16 }
	}

	map forwards {
		type inet_service : ipv4_addr . inet_service
		elements = { 2525 : 127.0.0.1 . 25 }
	}

	counter seen {
		packets 0 bytes 0
	}

	chain dstnat {
		type nat hook prerouting priority dstnat - 5; policy accept;
		dnat ip to tcp dport map @forwards
	}

	chain input {
		type filter hook input priority filter; policy drop;
		ct state vmap { established : accept, related : accept }
		iif "lo" accept
		tcp dport 22 counter name "seen" accept
		ip saddr @admins tcp dport { 8080, 15006 } accept
	}
}
`;

/** Rule sets by who made them, and what loads them. Those of the engines publish ports, but for this no inbound one. */
const RULE_SETS: Record<string, [load: string, rules: string]> = {
  "Docker, iptables": ["iptables-nft-restore", fixture("containers/docker-iptables")],
  "Docker, legacy iptables": ["iptables-legacy-restore", fixture("containers/docker-iptables-legacy")],
  "Docker, nft": ["nft -f -", fixture("containers/docker-nft")],
  "Podman, iptables": ["iptables-nft-restore", fixture("containers/podman-iptables")],
  "Podman, nft": ["nft -f -", fixture("containers/podman-nft")],
  "firewalld, nft": ["nft -f -", fixture("firewalls/firewalld-nft")],
  "firewalld, iptables": ["iptables-nft-restore", fixture("firewalls/firewalld-iptables")],
  ufw: ["iptables-nft-restore", fixture("firewalls/ufw-15006")],
  "an operator, by nft": ["nft -f -", OWN_NFT],
};

/** One of each kind of rules. */
const USUAL = ["Docker, iptables", "Podman, nft", "firewalld, nft", "ufw"];

const inboundFree = (rules: string) => rules.replaceAll("dport 8080", "dport 8081");

/** Everything that the kernel has, as each tool prints it, without what counts. */
const LIST = `for tool in iptables-nft ip6tables-nft; do echo "@ $tool"; $tool-save 2>/dev/null; done
! grep -qs . /proc/net/ip_tables_names || { echo '@ iptables-legacy'; iptables-legacy-save; }
! grep -qs . /proc/net/ip6_tables_names || { echo '@ ip6tables-legacy'; ip6tables-legacy-save; }
echo '@ nft'; nft --stateless list ruleset 2>/dev/null`;

/** By tool and table: its lines in their order, but for those of Istio's chains and what leads there. */
function tables(listed: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let [tool, table, inIstio] = ["", "", false];
  for (const line of listed.split("\n")) {
    if (/^@ /.test(line)) tool = line;
    else if (/^(\*|table )/.test(line)) table = `${tool} ${line}`;
    else if (/^\tchain (OPEN_BEFORE_)?ISTIO/.test(line)) inIstio = true;
    else if (inIstio) inIstio = line !== "\t}";
    else if (!/^(#|COMMIT|$)|ISTIO/.test(line)) {
      const lines = found.get(table) ?? [];
      found.set(table, [...lines, line.replace(/ \[\d+:\d+\]$/, "").replace(/packets \d+ bytes \d+/, "")]);
    }
  }
  return found;
}

export function coexisting(mesh: Mesh): void {
  describe("rules of others", () => {
    let host: Host;
    beforeEach(async () => {
      host = mesh.host("vm3");
      await host.reset();
    });

    for (const [who, [load, rules]] of Object.entries(RULE_SETS).filter(([who]) => THOROUGH || USUAL.includes(who))) {
      it(`are the same, and in their order, through join, restart and leave: ${who}`, async () => {
        const list = async () => tables(await host.sh(LIST));
        await host.sh(`${load} <<'END_OF_RULES'\n${inboundFree(rules)}\nEND_OF_RULES`);
        const [before, all] = [await list(), await host.snapshot()];
        assert.ok([...before.values()].flat().length > 20);
        const assertTheirs = async (when: string) => {
          const now = await list();
          for (const [table, lines] of before) assert.deepEqual(now.get(table), lines, `${when}: ${table}`);
        };
        await host.mustJoin();
        assert.match(await host.rules(), /ISTIO_INBOUND/);
        await assertTheirs("joined");
        await askFromPod(`http://${host.address}:8080`);
        await host.exec("systemctl", "restart", "istio");
        await host.mustJoin();
        await assertTheirs("after a restart");
        await host.mustLeave();
        await assertTheirs("left");
        await assertRestored(host, all);
      });
    }

    it("that publish an inbound port are found before a first join, and nothing is changed", async () => {
      await host.sh(`iptables-nft-restore <<'END_OF_RULES'\n${fixture("containers/docker-iptables")}\nEND_OF_RULES`);
      const before = await host.snapshot();
      const { exitCode, output } = await host.join();
      assert.equal(exitCode, 3, output);
      assert.match(output, /IVM740 inbound port 8080 is sent on to a container .*-A DOCKER .* --dport 8080 -j DNAT/);
      assert.equal(output.match(/^ {2}- /gm)?.length, 1, output);
      await assertRestored(host, before);
    });

    it("that publish an inbound port come before the sidecar's, whichever is first", async () => {
      // A container, as far as the kernel is concerned: it tells what it got, which a client of the mesh has not meant for it.
      const publish = `iptables -t nat -N DOCKER 2>/dev/null || :
        iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80`;
      await host.sh(`ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up
        ip netns add box; ip link add veth0 type veth peer name eth0 netns box
        ip link set veth0 master docker0 up
        ip -n box addr add 172.17.0.2/16 dev eth0; ip -n box link set eth0 up; ip -n box link set lo up
        ip -n box route add default via 172.17.0.1
        sysctl -qw net.ipv4.ip_forward=1
        mkdir -p /srv/box; echo container >/srv/box/index.html
        systemd-run --quiet --unit=host-test ip netns exec box python3 -m http.server --directory /srv/box 80`);
      await host.mustJoin();
      await host.sh(publish);
      await host.exec("systemctl", "restart", "istio");
      await host.mustJoin();
      const { page } = await askFromPod(`http://${host.address}:8080`);
      assert.equal(page.trim(), "container", "it went past the sidecar");
    });
  });
}

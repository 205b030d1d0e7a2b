import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const HOST = join(__dirname, "../../../host");
const fixture = (name: string) => readFileSync(join(__dirname, "../../fixtures/firewalls", `${name}.txt`), "utf8");

/** What host/firewall.sh finds on a host with these rule sets, each as its tool prints it. */
function findings(sets: Record<string, string>, { inbound = "8080", address = "192.0.2.7", more = "" } = {}): string[] {
  const state = `cluster.env ISTIO_SERVICE_CIDR=10.96.0.0/16\ncluster.env ISTIO_INBOUND_PORTS=${inbound}\nsidecar.env ISTIO_SVC_IP=${address}${more}`;
  const script = `set -eu
    here=$0
    for file in lib rules firewall; do . "$0/$file.sh"; done
    STATE=$1
    rule_sets() { echo "tools: $*" >&2; cat; }
    finding() { printf '%s\\n' "$*"; }
    check_firewall`;
  const input = Object.entries(sets)
    .map(([tool, rules]) => `@ ${tool}\n${rules}\n`)
    .join("");
  const { status, stdout, stderr } = spawnSync("dash", ["-c", script, HOST, state], { encoding: "utf8", input });
  const tools = address.includes(":") ? "ip6tables-nft ip6tables-legacy" : "iptables-nft iptables-legacy";
  assert.deepEqual([status, stderr], [0, `tools: ${tools}\n`]);
  return stdout.split("\n").filter((line) => line !== "");
}

/** A table filter of iptables: what comes in is dropped, unless it belongs to what is there, or to SSH, or these let it. */
const input = (...rules: string[]) => `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:own - [0:0]
:second - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
${rules.join("\n")}
COMMIT`;

/** The same of nft. */
const chain = (...rules: string[]) => `table inet fw {
	set admins {
		type ipv4_addr
		elements = { 10.0.0.1, 10.0.0.2 }
	}

	set opened {
		type inet_service
		flags interval
		elements = { 22, 80-90,
			     15000-15100 }
	}

	set shut {
		type inet_service
		elements = { 22, 8080 }
	}

	set knocked {
		type inet_service
		size 65535
		flags dynamic,timeout
		timeout 1m
	}

	map verdicts {
		type inet_service : verdict
		elements = { 22 : accept, 15006 : jump own }
	}

	chain own {
		accept
	}

	chain back {
		tcp dport 8080 accept
	}

	chain inbound {
		type filter hook input priority filter; policy drop;
		ct state vmap { invalid : drop, established : accept, related : accept }
		iifname "lo" accept
		tcp dport 22 accept
		${rules.join("\n\t\t")}
	}
}`;

const REFUSED = /come in at port 15006 once the sidecar runs, and its firewall refuses them there/;

/** Rules of iptables behind those above, which let nothing through. */
const SHUT: [what: string, ...rules: string[]][] = [
  ["the application's port alone", "-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT"],
  ["several ports", "-A INPUT -p tcp -m multiport --dports 80,443,8000:9000 -j ACCEPT"],
  ["a negation", "-A INPUT -p tcp -m tcp ! --dport 15006 -j ACCEPT"],
  ["several negated", "-A INPUT -p tcp -m multiport ! --dports 22,15000:15100 -j ACCEPT"],
  ["a negated range", "-A INPUT -p tcp -m tcp ! --dport 1024:65535 -j ACCEPT"],
  ["the port of something else", "-A INPUT -p udp -m udp --dport 15006 -j ACCEPT"],
  ["a rule after the last", "-A INPUT -j DROP", "-A INPUT -p tcp -m tcp --dport 15006 -j ACCEPT"],
  ["a rejection", "-A INPUT -j REJECT --reject-with icmp-host-prohibited"],
  ["a chain of its own", "-A INPUT -j own", "-A own -p tcp -m tcp --dport 8080 -j ACCEPT", "-A own -j RETURN"],
  ["a chain that is left by goto", "-A INPUT -g own", "-A INPUT -j ACCEPT", "-A own -p tcp --dport 8080 -j ACCEPT"],
  ["another original port", "-A INPUT -p tcp -m conntrack --ctorigdstport 9090 -j ACCEPT"],
  ["what was not redirected", "-A INPUT -p tcp -m conntrack ! --ctstate DNAT,NEW -j ACCEPT"],
  [
    "words in a comment",
    '-A INPUT -m comment --comment "a \\"b\\" -j ACCEPT --dport 15006" -p tcp -m tcp --dport 8080 -j ACCEPT',
  ],
  [
    "what is logged",
    '-A INPUT -p tcp -m tcp --dport 15006 -j LOG --log-prefix "in ACCEPT "',
    "-A INPUT -p tcp -j MARK --set-xmark 0x1/0xffffffff",
  ],
  [
    "broadcasts",
    "-A INPUT -m addrtype --dst-type BROADCAST -j ACCEPT",
    "-A INPUT -m pkttype --pkt-type multicast -j ACCEPT",
  ],
  ["what is no beginning", "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"],
  ["what only the host itself sends", "-A INPUT -s 127.0.0.0/8 -j ACCEPT", "-A INPUT -d 127.0.0.1/32 -j ACCEPT"],
  ["clients with low ports", "-A INPUT -p tcp -m tcp --sport 1:1023 -j ACCEPT"],
  [
    "a refusal by address before the rule",
    "-A INPUT -d 192.0.2.7/32 -p tcp -m tcp --dport 15006 -j DROP",
    "-A INPUT -p tcp -m tcp --dport 15006 -j ACCEPT",
  ],
  ["a branch of which both ends refuse", "-A INPUT -s 10.0.0.0/8 -j own", "-A own -j DROP"],
  [
    "chains within chains",
    "-A INPUT -j own",
    "-A own -j second",
    "-A second -p tcp --dport 8080 -j ACCEPT",
    "-A second -j REJECT",
  ],
];

/** And some that do, or may. */
const OPEN: typeof SHUT = [
  ["the sidecar's port", "-A INPUT -p tcp -m tcp --dport 15006 -j ACCEPT"],
  ["a range", "-A INPUT -p tcp -m tcp --dport 15000:16000 -j ACCEPT"],
  ["an open range", "-A INPUT -p tcp -m tcp --dport 1024: -j ACCEPT"],
  ["several ports", "-A INPUT -p tcp -m multiport --dports 8080,15006 -j ACCEPT"],
  ["a negation", "-A INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT"],
  ["the original port", "-A INPUT -p tcp -m conntrack --ctorigdstport 8080 -j ACCEPT"],
  ["original ports", "-A INPUT -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8000:8999 -j ACCEPT"],
  ["what was redirected", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"],
  ["some addresses", "-A INPUT -s 10.244.0.0/16 -p tcp -m tcp --dport 15006 -j ACCEPT"],
  ["some addresses for all", "-A INPUT -s 10.0.0.0/8 -j ACCEPT"],
  ["all but some", "-A INPUT ! -s 203.0.113.0/24 -p tcp -m tcp --dport 15006 -j ACCEPT"],
  ["an interface", "-A INPUT -i eth1 -j ACCEPT"],
  ["a module that is not known", "-A INPUT -p tcp -m geoip --source-country DE -j ACCEPT"],
  ["a set", "-A INPUT -m set --match-set nodes src -j ACCEPT"],
  ["a limit", "-A INPUT -p tcp -m tcp --dport 15006 -m limit --limit 5/sec -j ACCEPT", "-A INPUT -j DROP"],
  ["a refusal of some before", "-A INPUT -s 203.0.113.0/24 -j DROP", "-A INPUT -p tcp --dport 15006 -j ACCEPT"],
  [
    "a refusal of those that come too often",
    "-A INPUT -p tcp -m recent --update --seconds 30 --hitcount 6 --name x --mask 255.255.255.255 --rsource -j DROP",
    "-A INPUT -p tcp --dport 15006 -j ACCEPT",
  ],
  ["a chain of its own", "-A INPUT -j own", "-A own -j second", "-A second -p tcp --dport 15006 -j ACCEPT"],
  [
    "a chain that may return",
    "-A INPUT -j own",
    "-A INPUT -p tcp --dport 15006 -j ACCEPT",
    "-A own -s 10.0.0.0/8 -j RETURN",
    "-A own -j DROP",
  ],
  ["what userspace decides", "-A INPUT -p tcp -j NFQUEUE --queue-num 1"],
  ["the host's own", "-A INPUT -m addrtype --dst-type LOCAL -j own", "-A INPUT -j DROP", "-A own -j ACCEPT"],
  ["beginnings", "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"],
  ["ours that holds connections back for some seconds", "-A INPUT -j HOLD_FOR_ISTIO", "-A INPUT -j ACCEPT"],
];

const NFT_SHUT: typeof SHUT = [
  ["the application's port alone", "tcp dport 8080 accept"],
  ["a set in the rule", "tcp dport { 22, 80, 8000-9000 } accept"],
  ["a set", "tcp dport @shut accept"],
  ["a negated set", "tcp dport != @opened accept"],
  ["a verdict map", "tcp dport vmap { 22 : accept, 8080 : accept }"],
  ["a chain that comes back", "jump back", "reject with icmpx admin-prohibited"],
  ["a port below", "tcp dport < 1024 accept"],
  ["what is not redirected", "ct status != dnat accept"],
  ["UDP", "udp dport 15006 accept", "meta l4proto udp th dport 15006 accept"],
  ["a rule after the last", "drop", "tcp dport 15006 accept"],
  ["what is logged", 'tcp dport 15006 counter packets 1 bytes 60 log prefix "in accept " comment "accept"'],
  ["the wrong family", "ip6 saddr fd00::/8 tcp dport 15006 accept", "meta nfproto ipv6 accept"],
  ["pings", "icmp type echo-request accept", "icmpv6 type { echo-request, nd-neighbor-solicit } accept"],
  ["another original port", "meta l4proto tcp ct original proto-dst { 9090, 22 } accept"],
];

const NFT_OPEN: typeof SHUT = [
  ["the sidecar's port", "tcp dport { 22, 8080, 15006 } accept"],
  ["a range", "tcp dport 15000-15100 counter packets 0 bytes 0 accept"],
  ["a set", "tcp dport @opened accept"],
  ["a set that grows", "tcp dport @knocked accept"],
  ["a negated set", "tcp dport != @shut accept"],
  ["a verdict map", "tcp dport vmap { 22 : accept, 15000-15010 : goto own }"],
  ["a named verdict map", "tcp dport vmap @verdicts"],
  ["some addresses", "ip saddr @admins accept"],
  ["addresses and ports at once", "ip saddr . tcp dport { 10.0.0.1 . 22, 10.0.0.2 . 15006 } accept"],
  ["what was redirected", "ct status dnat accept"],
  ["the original port", "meta l4proto tcp ct original proto-dst 8080 accept"],
  ["ports above", "tcp dport >= 1024 accept"],
  ["either protocol", "meta l4proto { tcp, udp } th dport 15006 accept"],
  ["the host's own", "fib daddr type != local drop", "tcp dport 15006 accept"],
  ["beginnings, so many", "tcp flags syn / fin,syn,rst,ack limit rate 5/second accept"],
  ["a module of iptables", 'xt match "geoip" accept'],
  ["a refusal of too many", "tcp dport 15006 ct count over 100 reject with tcp reset", "tcp dport 15006 accept"],
];

describe("host/firewall.sh", () => {
  for (const [what, ...rules] of SHUT) {
    it(`finds that iptables refuses the sidecar, with ${what}`, () => {
      const [found = "", ...more] = findings({ "iptables-nft": input(...rules) });
      assert.match(found, REFUSED);
      assert.deepEqual(more, []);
    });
  }
  for (const [what, ...rules] of OPEN) {
    it(`finds nothing where iptables lets through: ${what}`, () =>
      assert.deepEqual(findings({ "iptables-legacy": input(...rules) }), []));
  }
  for (const [what, ...rules] of NFT_SHUT) {
    it(`finds that nft refuses the sidecar, with ${what}`, () => {
      const [found = "", ...more] = findings({ nft: chain(...rules) });
      assert.match(found, REFUSED);
      assert.deepEqual(more, []);
    });
  }
  for (const [what, ...rules] of NFT_OPEN) {
    it(`finds nothing where nft lets through: ${what}`, () => assert.deepEqual(findings({ nft: chain(...rules) }), []));
  }

  it("says what lets it through, in the words of the tool", () => {
    const advice = (sets: Record<string, string>) => findings(sets).map((found) => found.replace(/^.*\): /, ""));
    const keep = ", and the same where its rules are kept";
    assert.deepEqual(advice({ "iptables-legacy": input() }), [
      `iptables-legacy -t filter -I INPUT -p tcp --dport 15006 -j ACCEPT${keep}`,
    ]);
    assert.deepEqual(advice({ nft: chain() }), [`nft insert rule inet fw inbound tcp dport 15006 accept${keep}`]);
  });

  it("finds each chain that refuses, whichever tool made it", () => {
    const found = findings({ "iptables-nft": input(), "iptables-legacy": input("-A INPUT -j ACCEPT"), nft: chain() });
    assert.deepEqual(
      found.map((line) => /\((\S+), table (.*), chain (\S+): (.*?)\)/.exec(line)?.slice(1)),
      [
        ["iptables-nft", "filter", "INPUT", "policy drop"],
        ["nft", "inet fw", "inbound", "policy drop"],
      ],
    );
  });

  it("reads what iptables has made only once, as iptables prints it", () => {
    // nft can't tell all conditions of such a rule.
    const seen = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		ct state established accept
	}
}`;
    assert.deepEqual(findings({ "iptables-nft": input("-A INPUT -m connlabel --label 1 -j ACCEPT"), nft: seen }), []);
    assert.equal(findings({ nft: seen }).length > 0, true);
  });

  it("asks for each inbound port, where the original port matters", () => {
    const [found = "", ...more] = findings(
      { "iptables-nft": input("-A INPUT -p tcp -m conntrack --ctorigdstport 8080 -j ACCEPT") },
      { inbound: "8080,9090,9091" },
    );
    assert.match(found, /connections to inbound port 9090,9091 come in/);
    assert.deepEqual(more, []);
  });

  it('takes inboundPorts "*" for ports that are not known', () => {
    const all = { inbound: "*" };
    const [found = ""] = findings({ nft: chain("tcp dport 8080 accept") }, all);
    assert.match(found, REFUSED);
    assert.match(found, /that opens every port but SSH's/);
    assert.deepEqual(findings({ nft: chain("meta l4proto tcp ct original proto-dst 8080 accept") }, all), []);
  });

  it("finds that the inbound port itself is refused, before anything is redirected", () => {
    const raw = `*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 9090 -j DROP\nCOMMIT`;
    const both = { inbound: "8080,9090" };
    assert.match(
      findings({ "iptables-nft": raw }, both).join("\n"),
      /^IVM718 its firewall refuses connections to inbound port 9090 \(iptables-nft, table raw, chain PREROUTING: .*: iptables-nft -t raw -I PREROUTING -p tcp -m multiport --dports 9090 -j ACCEPT/,
    );
    const after = raw.replace("9090", "15006");
    assert.deepEqual(findings({ "iptables-nft": after }, both), [], "it has its first port there");
    const nft = (priority: string) =>
      `table inet t {\n\tchain c {\n\t\ttype filter hook prerouting priority ${priority}; policy accept;\n\t\ttcp dport 15006 drop\n\t}\n}`;
    assert.deepEqual(findings({ nft: nft("dstnat - 10") }), []);
    assert.match(findings({ nft: nft("dstnat + 10") }).join(), REFUSED);
  });

  it("finds that other networks can't reach a gateway", () => {
    const gateway = { inbound: "", more: "\nsidecar.env ISTIO_AGENT_FLAGS=router" };
    const refused =
      /^IVM718 its firewall refuses connections to port 15443, .* -I INPUT -p tcp --dport 15443 -j ACCEPT/;
    assert.match(findings({ "iptables-nft": input() }, gateway).join(), refused);
    assert.deepEqual(findings({ "iptables-nft": input("-A INPUT -p tcp --dport 15443 -j ACCEPT") }, gateway), []);
    assert.doesNotMatch(findings({ "iptables-nft": input() }, { inbound: "" }).join(), /15443/);
  });

  it("finds that the host can't reach itself, or the mesh", () => {
    const output = (...rules: string[]) =>
      `*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n${rules.join("\n")}\nCOMMIT`;
    const found = (...rules: string[]) => findings({ "iptables-nft": output(...rules) }).join("\n");
    const [itself, mesh] = [
      /from the host to itself.*-t filter -I OUTPUT -o lo -j ACCEPT/,
      /to the mesh go to port 15001/,
    ];
    assert.match(found(), itself);
    assert.match(found(), mesh);
    // A packet that is redirected still has the interface by which it would have left.
    const lo = "-A OUTPUT -o lo -j ACCEPT";
    assert.match(found(lo), mesh);
    assert.doesNotMatch(found(lo), itself);
    assert.equal(found(lo, "-A OUTPUT -d 127.0.0.0/8 -p tcp -m tcp --dport 15001 -j ACCEPT"), "");
    assert.equal(found(lo, "-A OUTPUT -o eth0 -j ACCEPT"), "");
    assert.match(
      findings({ "iptables-nft": input("-A INPUT -p tcp --dport 15006 -j ACCEPT").replace(/.* lo .*\n/, "") }).join(),
      /to itself.*-I INPUT -i lo -j ACCEPT/,
    );
  });

  it("reads real rule sets of ufw and firewalld", () => {
    for (const name of ["ufw", "ufw-reject"]) assert.match(findings({ "iptables-nft": fixture(name) }).join(), REFUSED);
    for (const name of ["ufw-15006", "ufw-15006-from-10"])
      assert.deepEqual(findings({ "iptables-nft": fixture(name) }), []);
    const v6 = { address: "fd00::7" };
    assert.match(findings({ "ip6tables-nft": fixture("ufw6") }, v6).join(), REFUSED);
    assert.deepEqual(findings({ "iptables-nft": fixture("firewalld-iptables") }), []);
    assert.deepEqual(findings({ nft: fixture("firewalld-nft") }), []);
    assert.deepEqual(findings({ nft: fixture("firewalld-nft") }, v6), []);
    // It is by what it says of redirected connections that firewalld lets them through.
    const strict = fixture("firewalld-nft").replaceAll("ct status dnat accept", "");
    assert.match(findings({ nft: strict }).join(), REFUSED);
  });

  it("finds nothing on a host without rules", () => assert.deepEqual(findings({ "iptables-nft": "", nft: "" }), []));
});

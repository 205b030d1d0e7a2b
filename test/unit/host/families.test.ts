import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { withCommands } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

/** Shell text behind the scripts' own functions, on a host with this address, and further lines of its state. */
const script = (text: string, address: string, ...state: string[]) => [
  "-c",
  `set -eu; HOST=vm1 SSH_PORT=22 here=$0 STATE=$1
  for file in lib rules check; do . "$0/$file.sh"; done
  ${text}`,
  SCRIPTS,
  [`sidecar.env ISTIO_SVC_IP=${address}`, ...state].join("\n"),
];
const run = (...args: Parameters<typeof script>) => {
  const { stdout, stderr } = spawnSync("sh", script(...args), { encoding: "utf8" });
  assert.equal(stderr, "");
  return stdout;
};

describe("a host's own address", () => {
  describe("the sidecar is asked", () => {
    for (const [where, status, answers] of [
      ["127.0.0.1", 200, "yes"],
      ["::1", 200, "yes"],
      ["::1", 503, "no"],
    ] as const) {
      it(`where it listens: ${where}, status ${status}`, async () => {
        const server = createServer((_, response) => response.writeHead(status).end()).listen(0, where);
        await once(server, "listening");
        try {
          const { port } = server.address() as AddressInfo;
          const args = script(`if ask GET ${port} /; then echo yes; else echo no; fi`, "fd00::21");
          assert.equal((await execa("sh", args)).stdout, answers);
        } finally {
          server.close();
        }
      });
    }

    it("and does not answer where nobody listens", () =>
      assert.equal(run("! ask GET 1 / && echo no", "fd00::21"), "no\n"));
  });

  describe("is taken by the sidecar", () => {
    const istio = "printf '*nat\\n:ISTIO_INBOUND - [0:0]\\n-A ISTIO_INBOUND -p tcp -j RETURN\\n'";
    const wanted = (address: string, tool: string) =>
      withCommands(
        Object.fromEntries(
          ["iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"].map((each) => [
            `${each}-save`,
            each === tool ? istio : "exit 0",
          ]),
        ),
        () => run("if rules_as_wanted; then echo yes; else echo no; fi", address),
      );

    for (const [address, tool, answer] of [
      ["10.0.0.21", "iptables-nft", "yes"],
      ["10.0.0.21", "ip6tables-nft", "no"],
      ["fd00::21", "ip6tables-nft", "yes"],
      ["fd00::21", "iptables-nft", "no"],
    ] as const) {
      it(`${address} by rules of ${tool} alone: ${answer}`, async () =>
        assert.equal(await wanted(address, tool), `${answer}\n`));
    }
  });

  describe("is one at which the sidecar would listen", () => {
    const check = (address: string, others: string[], ...state: string[]) =>
      withCommands({ ip: `cat <<END\n${others.map((line) => `${line}\n`).join("")}END` }, () =>
        run(`FINDINGS=''; check_families; printf %s "$FINDINGS"`, address, ...(state.length > 0 ? state : [ISTIOD])),
      );
    const ISTIOD = "istiod 31000 istiod.istio-system.svc 10.0.0.1";
    const IPV4 = ["2: eth0    inet 10.0.0.21/24 brd 10.0.0.255 scope global eth0", "3: docker0    inet 172.17.0.1/16"];

    it("is not asked of an IPv4 one", async () => assert.equal(await check("10.0.0.21", IPV4), ""));
    it("is so where there is IPv6 alone", async () => assert.equal(await check("fd00::21", []), ""));
    it("is so where istiod serves both", async () =>
      assert.equal(await check("fd00::21", IPV4, ISTIOD, "cluster.env ISTIO_DUAL_STACK=true"), ""));
    it("is not known before istiod is", async () => assert.equal(await check("fd00::21", IPV4, "host vm1"), ""));
    it("is not beside IPv4 where istiod serves that alone", async () =>
      assert.match(
        await check("fd00::21", IPV4),
        /IVM732 .*IPv6, fd00::21, .*\(10\.0\.0\.21\/24 of eth0, 172\.17\.0\.1\/16 of docker0\)/,
      ));
  });
});

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");
/** As on a host: the user of the sidecar is there. */
const PRELUDE = `set -eu
id() { [ "$*" = "-u istio-proxy" ] && echo 1337; }
STATE='' RECORD='' HOST=vm1
for file in lib restart; do . "${SCRIPTS}/$file.sh"; done
HOME_DIR=. ENV_DIR=. SSH_PORT=22`;

/** What drops what opens a connection, in the chain for what comes and in that for what goes. */
const held = (tool: string, environment: string) =>
  withDirectory(async (directory) => {
    writeFileSync(join(directory, "cluster.env"), environment);
    const { stdout } = await execa("sh", ["-c", `${PRELUDE}\nhold_rules ${tool}`], { cwd: directory });
    const of = (chain: string) =>
      stdout
        .split("\n")
        .filter((line) => line.startsWith(`-A ${chain} `) && !line.includes("-m time"))
        .map((line) => line.slice(`-A ${chain} `.length));
    return { all: stdout, comes: of("HOLD_FOR_ISTIO"), goes: of("HOLD_FOR_ISTIO_OUT") };
  });

const OWN = "-m owner --uid-owner 1337 -j RETURN";

describe("host/restart.sh: connections that are opened while the sidecar restarts", () => {
  it("wait, to inbound ports and to the mesh; not to SSH, nor the sidecar's own", async () => {
    const environment = "ISTIO_INBOUND_PORTS=80,81\nISTIO_SERVICE_CIDR=10.0.0.0/16,fd00::/108\n";
    const v4 = await held("iptables", environment);
    assert.deepEqual(v4.comes, [
      "-p tcp --dport 22 -j RETURN",
      "-p tcp --dport 80 -j DROP",
      "-p tcp --dport 81 -j DROP",
    ]);
    assert.deepEqual(v4.goes, [OWN, "-d 10.0.0.0/16 -j DROP"]);
    assert.deepEqual((await held("ip6tables", environment)).goes, [OWN, "-d fd00::/108 -j DROP"]);
  });

  it("wait for some seconds, whatever becomes of the script", async () => {
    const { all } = await held("iptables", "ISTIO_SERVICE_CIDR=10.0.0.0/16\n");
    for (const chain of ["HOLD_FOR_ISTIO", "HOLD_FOR_ISTIO_OUT"]) {
      const [first] = all.split("\n").filter((line) => line.startsWith(`-A ${chain} `));
      assert.match(first!, /-m time --datestart \S+ -j RETURN$/);
    }
  });

  it("wait wherever they go, but root's, where all goes through the sidecar", async () => {
    const { comes, goes } = await held("iptables", "ISTIO_INBOUND_PORTS='*'\nISTIO_SERVICE_CIDR='*'\n");
    assert.deepEqual(comes, ["-p tcp --dport 22 -j RETURN", "-j DROP"]);
    assert.deepEqual(goes, [OWN, "-m owner ! --uid-owner 0 -j DROP"]);
  });
});

describe("host/restart.sh: rules for connections that are open", () => {
  it("are of the kind of iptables that Istio takes: the legacy one wherever that works", async () => {
    const tool = async (works: string, has: string) => {
      const script = `${PRELUDE}
        iptables-legacy() { ${works}; }
        command() { [ "$2" = '${has}' ]; }
        tool_for_istio iptables`;
      return (await execa("bash", ["-c", script])).stdout;
    };
    assert.equal(await tool("true", "iptables-nft-restore"), "iptables-legacy");
    assert.equal(await tool("return 3", "iptables-nft-restore"), "iptables-nft");
    assert.equal(await tool("return 3", "none"), "iptables");
  });
});

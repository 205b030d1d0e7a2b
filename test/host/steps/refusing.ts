import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../lab/run";
import { renderFiles } from "../../../ssh/bundle";
import { assertSame } from "../../support/snapshot";
import { filesOf } from "../commands";
import { bootWithSmallDisk } from "../faults";
import { type Finding, UNUSUAL } from "../findings";
import type { Host, JoinOptions } from "../host";
import type { Mesh } from "../mesh";

const seconds = (fromNow: number) => Math.floor(Date.now() / 1000) + fromNow;

const FINDINGS: Finding[] = [
  {
    what: "a port that is taken",
    make: "systemd-run --quiet --unit=host-test python3 -m http.server 15021; until ss -Hltn | grep -q :15021; do :; done",
    unmake: "systemctl stop host-test",
    says: /port 15021, which the sidecar needs, is taken: \S+:15021 .*python3/,
  },
  {
    what: "neither curl nor wget",
    make: "mv /usr/bin/curl /usr/bin/curl.away",
    unmake: "mv /usr/bin/curl.away /usr/bin/curl",
    says: /neither curl nor wget to fetch the package/,
  },
  {
    what: "another sidecar that runs",
    make: "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/istio.service; systemctl daemon-reload; systemctl start istio",
    unmake: "systemctl stop istio; rm /etc/systemd/system/istio.service; systemctl daemon-reload",
    says: /an Istio sidecar that this program did not start is running/,
  },
  {
    what: "rules of a sidecar that is gone",
    make: "iptables -t nat -N ISTIO_OUTPUT",
    unmake: "iptables -t nat -X ISTIO_OUTPUT",
    says: /iptables rules of an Istio sidecar that is gone/,
  },
  {
    what: "another address for istiod in /etc/hosts",
    make: "echo '192.0.2.1 istiod istiod.istio-system.svc' >>/etc/hosts",
    unmake: "sed -i /192.0.2.1/d /etc/hosts",
    says: /\/etc\/hosts has another address for istiod\.istio-system\.svc, 192\.0\.2\.1/,
  },
  {
    what: "a clock that is behind",
    state: (state) => state.replace(/^not-before .*$/m, `not-before ${seconds(3600)} 2099-01-01T00:00:00Z`),
    says: /its clock says \S+Z, which is before its certificate begins to be valid, 2099-01-01T00:00:00Z: set the clock/,
  },
  {
    what: "a certificate that has ended",
    state: (state) => state.replace(/^not-after .*$/m, `not-after ${seconds(-60)} 2001-01-01T00:00:00Z`),
    says: /its certificate ended 2001-01-01T00:00:00Z/,
  },
  {
    what: "an istiod that can't be reached",
    state: (state) => state.replace(/^istiod \S+/m, "istiod 1"),
    says: /it can't reach istiod at 172\.30\.0\.10, port 1, over TCP/,
  },
  {
    what: "the port of SSH among the inbound ports",
    state: (state) => state.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=8080,22"),
    says: /inboundPorts has 22, the port of this very SSH session/,
  },
];

export function refusing(mesh: Mesh): void {
  describe("join finds out beforehand, and changes nothing:", () => {
    let host: Host;
    before(async () => {
      host = mesh.host("vm2");
      await host.reset();
    });

    /** Joins, which must be refused, and leave no trace. */
    async function refused(options: JoinOptions = {}, by = host): Promise<string> {
      const before = await by.snapshot();
      const { exitCode, output } = await by.join(options);
      assert.equal(exitCode, 3, output);
      assert.match(output, /can't join the mesh; nothing was changed:/);
      assertSame(before, await by.snapshot(), by.name);
      return output;
    }

    for (const [name, format] of [
      ["vm2", "deb"],
      ["rpm1", "rpm"],
    ] as const) {
      it(`that ${name} has no package`, async () => {
        const without = new RegExp(`^package ${format} amd64 .*\\n`, "m");
        const state = mesh.host(name).commands.state.replace(without, `package ${format} arm64 aa sent\n`);
        assert.match(
          await refused({ state }, mesh.host(name)),
          new RegExp(`IVM730 sidecar has no ${format} for amd64: add sidecar\\.${format}\\.amd64`),
        );
      });
    }

    for (const { what, make = ":", unmake = ":", state = (same: string) => same, says, several = false } of [
      ...FINDINGS,
      ...UNUSUAL,
    ]) {
      it(what, async () => {
        await host.sh(make);
        try {
          const output = await refused({ state: state(host.commands.state) });
          assert.match(output, says);
          if (!several) assert.equal(output.match(/^ {2}- /gm)?.length, 1, output);
        } finally {
          await host.sh(unmake);
        }
      });
    }

    it("all of these at once", async () => {
      // With the SSH port's finding first: istiod's port is part of the same text.
      await host.sh(FINDINGS.map(({ make = ":" }) => make).join("\n"));
      const wanted = FINDINGS.filter(({ what }) => !/ended|rules/.test(what)); // others take their place
      try {
        const output = await refused({
          state: wanted.reduce((text, { state = (same: string) => same }) => state(text), host.commands.state),
        });
        for (const { says } of wanted) assert.match(output, says);
      } finally {
        await host.sh(FINDINGS.map(({ unmake = ":" }) => unmake).join("\n"));
      }
    });

    it("an istiod of another mesh, if the host has openssl", async () => {
      const folder = mkdtempSync(join(tmpdir(), "host-test-"));
      const openssl = `${host.root}/usr/bin/openssl`;
      copyFileSync("/usr/bin/openssl", openssl);
      chmodSync(openssl, 0o755);
      try {
        const [key, certificate] = [join(folder, "key.pem"), join(folder, "root.pem")];
        const subject = ["-subj", "/O=another mesh", "-days", "1"];
        await run([
          "openssl",
          "req",
          "-x509",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-keyout",
          key,
          "-out",
          certificate,
          ...subject,
        ]);
        const files = { ...filesOf(host.bundle), "root-cert.pem": readFileSync(certificate, "utf8") };
        assert.match(await refused({ bundle: renderFiles(files) }), /does not prove to be of this mesh: .*error/i);
        await host.mustJoin(); // and this mesh's own does, to a client that shows its whole chain
        await host.mustLeave();
      } finally {
        rmSync(folder, { recursive: true });
        await host.exec("rm", "/usr/bin/openssl");
      }
    });

    it("a host of another stack", async () => {
      await host.mustJoin();
      const state = host.commands.state.replace(/^owner .*$/m, "owner 0123456789abcdef");
      const output = await refused({ state });
      const [, owner] = /^owner (.*)$/m.exec(host.commands.state)!;
      assert.match(output, new RegExp(`joined already, by the stack with owner mark ${owner}`));
      await host.mustLeave();
    });

    it("too little room", async () => {
      await bootWithSmallDisk(host, 300);
      try {
        assert.match(await refused(), /\/usr has \d+ MB free: the sidecar needs 400/);
      } finally {
        await host.reset();
      }
    });

    it("but a clock that is a little behind is waited for", async () => {
      const state = host.commands.state.replace(/^not-before .*$/m, `not-before ${seconds(8)} soon`);
      const { output } = await host.mustJoin({ state });
      assert.match(output, /the clock is \d s behind the certificate's beginning: waiting/);
      await host.mustLeave();
    });
  });
}

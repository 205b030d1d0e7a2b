import assert from "node:assert/strict";
import { renderFiles } from "../../../ssh/bundle";
import type { Snapshot } from "../../support/snapshot";
import { filesOf } from "../commands";
import { mustSucceed, type Host } from "../host";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";
import { withTimes } from "../times";

/** A new file in new folders, one in place of the operator's, and one that is sent. */
const ADDED = `
extra one
extra two
file 0640 /srv/new/deep/extra.conf lines:extra
file 0600 /srv/own.conf lines:extra
file 0600 /srv/new/token sha256:aa`;

/** Makes what this version left when it joined the host what an older one left. */
const AS_OLDER = `
  cd /var/lib/istio-vm
  sed -i '/^file .* \\(lines\\|block\\):/d; /[/]istio[/]identity[/]/d; s/ restart$//' state
  rm -r /var/lib/istio/identity
  mv record/saved/_etc_hosts record/hosts
  mkdir -p /tmp/older/etc/certs
  mv record/saved/_etc_certs_key.pem /tmp/older/etc/certs/key.pem
  tar --append --absolute-names --numeric-owner --transform s,^/tmp/older,, --file record/files.tar /tmp/older/etc/certs/key.pem
  rm -r record/saved record/files /tmp/older`;

export function adding(mesh: Mesh): void {
  describe("files that an update adds", () => {
    let host: Host;
    let before: Snapshot;
    let state: string;
    let bundle: string;
    const sidecar = () => host.exec("systemctl", "show", "--property=InvocationID", "istio.service");
    const listed = () => host.sh("find /srv -printf '%P %m %u\\n' | sort");

    beforeEach(async () => {
      host = mesh.host("vm3");
      await host.reset();
      await host.sh(`
        echo mine >/srv/own.conf
        chmod 0604 /srv/own.conf
        install -d -m 0751 /etc/certs
        echo 'a key of another program' >/etc/certs/key.pem
        touch -d '2001-02-03 04:05:06.789' /etc/certs/key.pem /etc/certs`);
      before = await host.snapshot();
      await host.mustJoin();
      state = `${host.commands.state}${ADDED}`;
      bundle = renderFiles({ ...filesOf(host.bundle), token: "a secret\n" });
    });

    /** Adds them, looks at them, and gives the host back. */
    async function throughItsLife(): Promise<void> {
      await host.mustJoin({ state, bundle });
      assert.equal(
        await host.sh("cd /srv; head -v new/deep/extra.conf own.conf new/token; stat -c '%a %U' own.conf new/*/*"),
        "==> new/deep/extra.conf <==\none\ntwo\n\n==> own.conf <==\none\ntwo\n\n==> new/token <==\na secret\n" +
          "600 istio-proxy\n640 istio-proxy\n",
      );
      // What a join leaves that is killed while it writes.
      await host.sh(
        "for file in /etc/.istio-vm._etc_certs_key.pem /etc/.istio-vm._etc_hosts /srv/.istio-vm._srv_own.conf; do : >$file; done",
      );
      await host.mustLeave();
      await assertRestored(host, before);
    }

    it("are written without a restart, compared, healed, and given back by leave", async () => {
      const run = await sidecar();
      await host.mustJoin({ state, bundle });
      await host.sh("echo three >>/srv/new/deep/extra.conf; rm /srv/new/token");
      const { exitCode, output } = await host.status();
      assert.equal(exitCode, 1, output);
      assert.match(output, /^extra\.conf +! changed by hand[\s\S]*\+three/m);
      assert.match(output, /^certificate +! \/srv\/new\/token is missing/m);
      await host.mustJoin({ state, bundle });
      assert.equal(await sidecar(), run, "the sidecar was restarted");
      await throughItsLife();
    });

    it("are gone after a change that fails, and the operator's own is back", async () => {
      const earlier = await listed();
      const failing = `${state.replaceAll(/^(file .*:extra)$/gm, "$1 restart")}\nsidecar.env CA_ADDR=192.0.2.1:15012`;
      const { exitCode, output } = await host.join({ state: failing, bundle: withTimes(bundle, { ready: 10 }) });
      assert.equal(exitCode, 3, output);
      assert.match(output, /write +ok: .*extra\.conf own\.conf/);
      assert.equal((await listed()).replace(/^new .*\nnew\/deep .*\n/m, ""), earlier);
      mustSucceed(await host.status(), "status");
    });

    it("that a later update no longer has are given back by leave", async () => {
      await host.mustJoin({ state, bundle });
      await host.mustJoin();
      await host.mustLeave();
      await assertRestored(host, before);
    });

    it("to a host that an older version joined, which knew no such lines, without a restart", async () => {
      await host.sh(AS_OLDER);
      const run = await sidecar();
      await host.mustJoin();
      assert.equal(await sidecar(), run, "the sidecar was restarted");
      await throughItsLife();
    });

    it("and a host that an older version joined can be left", async () => {
      await host.sh(AS_OLDER);
      await host.mustLeave();
      await assertRestored(host, before);
    });
  });
}

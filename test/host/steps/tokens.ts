import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { execa } from "execa";
import { until } from "../../../lab/run";
import { accessFlags, type ClusterAccess } from "../../../tools/kubectl";
import { labConfig } from "../../support/testStack";
import { mustSucceed, type Host } from "../host";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";
import { withTimes } from "../times";

const TOKEN = "/var/run/secrets/tokens/istio-token";

/** A token of the host's service account, as the program asks for it. */
async function newToken(host: Host, audience = "istio-ca"): Promise<string> {
  const { cluster } = labConfig() as { cluster: ClusterAccess };
  const words = ["create", "token", host.name, "--namespace=vm", `--audience=${audience}`, "--duration=600s"];
  return (await execa("kubectl", [...accessFlags(cluster), ...words])).stdout;
}

/** The state of the host with another proof of the same identity, and a short life of what that gives. */
function byToken({ commands: { state } }: Host, seconds = 3600): string {
  const [, identity] = /^identity (.*)$/m.exec(state)!;
  return state
    .replace(/^not-.*\n/gm, "")
    .replace(/^file .* \/var\/lib\/istio\/identity\/.*\n/gm, "")
    .replace(/^cluster\.env (PROV_CERT|OUTPUT_CERTS|CA_ROOT_CA)=.*\n/gm, "")
    .replace(/^(file .*(?:cert-chain|key)\.pem) .*$/gm, `$1 token:${identity}`)
    .replace(/^(sidecar\.env ISTIO_SVC_IP.*)$/m, `$1\nsidecar.env SECRET_TTL=${seconds}s`);
}

export function tokens(mesh: Mesh): void {
  describe("a host that proves who it is by a token", function () {
    let host: Host;
    let root: string;
    const withToken = (token: string, { state = byToken(host), ready = 90 } = {}) => ({
      state,
      bundle: withTimes(host.bundleWith({ "root-cert.pem": root, "istio-token": `${token}\n` }), { ready }),
    });
    const mustJoin = async (state = byToken(host), token?: string) =>
      (await host.mustJoin(withToken(token ?? (await newToken(host)), { state }))).output;
    const run = () => host.exec("systemctl", "show", "--property=InvocationID", "istio.service");
    const files = () => host.sh("cat /etc/certs/cert-chain.pem /etc/certs/key.pem");
    /** Of what the host has its identity (host/files.sh). */
    const proof = () => host.sh("cat /var/lib/istio-vm/sent");
    const isThere = (path: string) => host.sh(`[ ! -e ${path} ] || echo yes`).then((said) => said.trim() === "yes");
    /** Stops the sidecar until its certificate has ended. */
    const outlive = async () => {
      await host.exec("systemctl", "stop", "istio");
      await until("the certificate to end", 60, async () => /^valid +! /m.test((await host.status()).output));
    };

    before(async () => {
      host = mesh.host("vm1");
      root = host.commands.certificates["root-cert.pem"]!;
      await host.reset();
    });

    it("joins with it, and leaves without a trace", async () => {
      const before = await host.snapshot();
      await mustJoin();
      await host.mustLeave();
      await assertRestored(host, before);
    });

    it("has it nowhere afterwards, and while it is there in no file or process that others can read", async () => {
      const token = await newToken(host);
      // In a file, which is not looked at: else it would be in the command line of whoever looks for it.
      writeFileSync(`${host.root}/run/part`, token.slice(-60), { mode: 0o600 });
      await host.sh(`rm -f /run/enough
        (until [ -e /run/enough ]; do
          grep -lsFf /run/part /proc/[0-9]*/cmdline /proc/[0-9]*/environ && date
          find ${TOKEN} -perm /077 2>/dev/null
          sleep 0.05
        done) >/run/seen 2>&1 </dev/null &`);
      await mustJoin(undefined, token);
      await host.sh("touch /run/enough");
      assert.equal(await host.sh("cat /run/seen"), "");
      const found = await host.sh(`
        grep -rlsFf /run/part / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude=part || :
        grep -lsFf /run/part /proc/[0-9]*/cmdline /proc/[0-9]*/environ || :
        journalctl --no-pager | grep -cFf /run/part || :
        rm /run/part /run/seen /run/enough`);
      assert.equal(found.trim(), "0");
      assert.ok(!(await isThere(TOKEN)));
    });

    it("has a key that its agent made, and an identity by it", async () => {
      const sent = host.commands.certificates["key.pem"]!;
      assert.ok(!(await files()).includes(sent.trim().split("\n")[1]!));
      assert.equal((await host.sh("stat -c '%a %U' /etc/certs/key.pem")).trim(), "600 istio-proxy");
      const { output } = await host.status();
      assert.match(output, /^identity +spiffe:.*\/vm1$/m);
      assert.match(output, /^ready +yes/m);
    });

    it("takes none that it does not need, and is not restarted", async () => {
      const [before, were] = [await run(), await files()];
      assert.match(await mustJoin(), /write +ok: nothing to change/);
      assert.deepEqual([await run(), await files()], [before, were]);
    });

    it("renews its identity without it, and after a reboot too", async () => {
      await mustJoin(byToken(host, 20));
      const first = await files();
      await until("the agent to renew the certificate", 60, async () => (await files()) !== first);
      await mustJoin(byToken(host));
      await host.reboot();
      await host.untilReachable(60);
      await until("the sidecar to be ready", 60, async () => (await host.status()).exitCode === 0);
      assert.match(await mustJoin(), /write +ok: nothing to change/);
    });

    it("says that its identity ended while it was off, and comes back by a new one", async () => {
      await mustJoin(byToken(host, 20));
      await outlive();
      assert.match((await host.status()).output, /^valid +! its certificate ended .*: pulumi up gives it a new one$/m);
      await mustJoin(byToken(host, 20));
      await mustJoin();
    });

    it("takes a certificate instead, and a token again, in place", async () => {
      const own = await files();
      await host.mustJoin();
      assert.notEqual(await files(), own);
      assert.match(await mustJoin(), /write +ok:.* token /);
      assert.equal(await host.sh("ls /var/lib/istio/identity"), "");
    });

    it("goes back to its key and certificate when another proof is not confirmed", async () => {
      await host.mustJoin();
      const before = await proof();
      const session = await host.startJoin(withToken(await newToken(host)));
      await until("the sidecar to be stopped", 60, () => isThere("/run/istio-vm/restarting"));
      session.stopConfirming();
      const { exitCode, output } = await session.done;
      assert.equal(exitCode, 3, output);
      mustSucceed(await host.status(), "status after the undo");
      assert.ok(!(await isThere(TOKEN)));
      assert.equal(await proof(), before);
      await host.mustJoin();
    });

    it("names istiod's refusal as the reason, and is as it was", async () => {
      const before = await proof();
      const token = await newToken(host, "somebody-else");
      const { exitCode, output } = await host.join(withToken(token, { ready: 15 }));
      assert.equal(exitCode, 3, output);
      assert.match(
        output,
        /not ready after 15 s: istiod does not accept the token of spiffe:.*\/vm1: .*Unauthenticated/s,
      );
      assert.ok(!output.includes(token));
      mustSucceed(await host.status(), "status after the refusal");
      assert.equal(await proof(), before);
    });

    after(() => host.mustLeave().then());
  });
}

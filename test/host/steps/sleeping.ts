import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { inspectCertificate } from "../../../mesh/certificates";
import { issue, issuerOf, keyOf } from "../../unit/diagnosis/checks/pki";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

const OWN = "/etc/certs";
const SENT = "/var/lib/istio/identity";
const DAY = 24 * 3_600_000;

/** The stack's state, with an agent whose certificates last so many seconds. */
const lasting = ({ commands: { state } }: Host, seconds: number) =>
  state.replace(/^(sidecar\.env ISTIO_SVC_IP.*)$/m, `$1\nsidecar.env SECRET_TTL=${seconds}s`);

export function sleeping(mesh: Mesh): void {
  describe("a machine that sleeps for longer than its certificate is valid", function () {
    let host: Host;
    before(async () => {
      host = mesh.host("vm1");
      await host.reset();
    });
    after(() => host.mustLeave().then());

    const ends = async (folder = OWN) =>
      inspectCertificate(await host.sh(`cat ${folder}/cert-chain.pem`)).notAfter.getTime();
    /** Waits until the sidecar has an identity that is good now, of which it had none before, and is in the mesh by it. */
    const untilBack = () =>
      until("the host to be back", 60, async () => (await ends()) > Date.now() && (await host.status()).exitCode === 0);
    const untilEnded = () => until("the certificate to end", 60, async () => (await ends()) < Date.now());
    /** As if the agent's certificate, and what the host was sent, had been made so many days ago. */
    async function aged(days: number, { left }: { left: number }): Promise<void> {
      const { issuer, certificates, state } = host.commands;
      const [, identity] = /^identity (.*)$/m.exec(state)!;
      const ca = await issuerOf(issuer.certificate, issuer.key);
      const chain = certificates["cert-chain.pem"]!.replace(/^[^]*?-----END CERTIFICATE-----\n/, "");
      const at = (day: number) => new Date(Date.now() + day * DAY).toISOString();
      for (const [folder, from, to] of [
        [SENT, -days - 1, left],
        [OWN, -days - 1, -days],
      ] as const) {
        const made = await issue({ issuer: ca, uris: [identity!], from: at(from), to: at(to) });
        // With the owner and the mode that they have.
        await host.sh(`cat >${folder}/cert-chain.pem <<'END'\n${made.pem}${chain}END\n`);
        await host.sh(`cat >${folder}/key.pem <<'END'\n${await keyOf(made)}END\n`);
      }
    }

    it("keeps what it was sent apart from what its agent makes, for the sidecar alone", async () => {
      await host.mustJoin({ state: lasting(host, 20) });
      const modes = await host.sh(`stat -c '%a %U %n' ${SENT} ${SENT}/* | sort -k 3`);
      assert.deepEqual(modes.trim().split("\n"), [
        `700 istio-proxy ${SENT}`,
        `644 istio-proxy ${SENT}/cert-chain.pem`,
        `600 istio-proxy ${SENT}/key.pem`,
      ]);
      const { certificates } = host.commands;
      assert.equal(await host.sh(`cat ${SENT}/key.pem`), certificates["key.pem"]);
      assert.notEqual(await host.sh(`cat ${OWN}/key.pem`), certificates["key.pem"]);
    });

    it("comes back by itself when it is switched on again", async () => {
      await host.exec("systemctl", "stop", "istio");
      await untilEnded();
      assert.match((await host.status()).output, /^valid +! its certificate ended /m);
      await host.reboot();
      await host.untilReachable(60);
      await untilBack();
    });

    it("comes back by itself when it was but suspended, as a virtual machine may be", async () => {
      await host.exec("systemctl", "kill", "--signal=STOP", "istio");
      await untilEnded();
      await host.exec("systemctl", "kill", "--signal=CONT", "istio");
      await untilBack();
    });

    it("comes back by itself after a month", async () => {
      await host.exec("systemctl", "stop", "istio");
      await aged(30, { left: 1 });
      await host.exec("systemctl", "start", "istio");
      await until("the host to have an identity", 60, async () => (await ends()) > Date.now());
      await until("the sidecar to be ready", 60, async () => /^ready +yes/m.test((await host.status()).output));
    });

    it("does not when what it was sent has ended too: status says so, and a join gives it another", async () => {
      await host.exec("systemctl", "stop", "istio");
      await aged(400, { left: -35 });
      await host.exec("systemctl", "start", "istio");
      const asked = () => host.sh("cat /var/log/istio/*.log | grep -c 'cert expired, using token instead' || :");
      const before = Number(await asked());
      await until("its agent to try", 60, async () => Number(await asked()) > before);
      const { output, exitCode } = await host.status();
      assert.equal(exitCode, 1);
      assert.match(output, /^sent +! the certificate that it was sent ended .*: pulumi up sends it a new one$/m);
      assert.match(output, /^ready +! no/m);
      await host.mustJoin({ state: lasting(host, 20) });
      await untilBack();
    });

    it("is not restarted for another certificate, and goes on by it", async () => {
      const run = () => host.exec("systemctl", "show", "--property=InvocationID", "istio.service");
      const before = await run();
      const { issuer, certificates, state } = host.commands;
      const [, identity] = /^identity (.*)$/m.exec(state)!;
      const from = new Date(Date.now() - DAY).toISOString();
      const to = new Date(Date.now() + 2 * DAY).toISOString();
      const made = await issue({ issuer: await issuerOf(issuer.certificate, issuer.key), uris: [identity!], from, to });
      const chain = made.pem + certificates["cert-chain.pem"]!.replace(/^[^]*?-----END CERTIFICATE-----\n/, "");
      const digest = (await host.sh(`sha256sum <<'END' | cut -c 1-16\n${chain}END\n`)).trim();
      const next = lasting(host, 20).replace(/^(file .* \/var\/lib\/istio\/identity\/\S+ \S+:).*$/gm, `$1${digest}`);
      const files = { ...certificates, "cert-chain.pem": chain, "key.pem": await keyOf(made) };
      const { output } = await host.mustJoin({ state: next, bundle: host.bundleWith(files) });
      assert.match(output, /write +ok: certificates$/m);
      assert.equal(await run(), before);
      assert.equal(await ends(SENT), Date.parse(to.replace(/\.\d+Z$/, "Z")));
      const renewed = await ends();
      await until("the agent to renew by it", 60, async () => (await ends()) > renewed);
      assert.equal((await host.status()).exitCode, 0);
    });
  });
}

/** What a configuration may say that few do, all in one stack: it must work, not only be accepted. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type ParsedKey, utils } from "ssh2";
import { usableSshKey } from "../../config/privateKey";
import { assertInsideLab } from "../../lab/exec";
import { labByName, vmByName } from "../../lab/paths";
import { until } from "../../lab/run";
import { resetVm, vmExec } from "../../lab/vm";
import { watchArguments } from "../support/arguments";
import { labConfig, operatorSpecOf, TestStack, withOperatorSpec } from "../support/testStack";
import { askFromPod, kubectl, untilPlainly, withStrictTls } from "./mesh";

const PASSWORD = "hunter2hunter2";

describe("an unusual stack", () => {
  assertInsideLab();
  const lab = labByName();
  const stack = new TestStack();
  const { address } = vmByName(lab, "vm1");
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string;
  const texts: [string, string][] = [];

  before(async () => {
    await resetVm(lab, "vm1");
    const parsed = utils.parseKey(usableSshKey(key)) as ParsedKey;
    const authorized = `${parsed.type} ${parsed.getPublicSSH().toString("base64")}`;
    await vmExec(lab, "vm1", ["bash", "-c", `echo '${authorized}' >>~admin/.ssh/authorized_keys`]);
    for (const namespace of ["istio-system", "apps"]) await kubectl("create", "namespace", namespace);

    const config = labConfig();
    const [host] = config.hosts as object[];
    const { url, sha256 } = config.sidecar as { url: string; sha256: string };
    const components = { ingressGateways: [{ name: "istio-ingressgateway", enabled: false }] };
    await stack.init({
      ...withOperatorSpec(config, { ...operatorSpecOf(config), components }),
      cluster: { ...(config.cluster as object), existingNamespaces: ["default", "istio-system", "apps"] },
      ssh: { ...(config.ssh as object), key: { secret: "sshKey" } },
      sidecar: { url: { secret: "packageUrl" }, sha256 },
      hosts: [host],
      services: [{ name: "vmhttp", namespace: "apps", hosts: ["vm1"], ports: [{ port: 8080 }] }],
    });
    await stack.setSecret("sshKey", key);
    const secretUrl = `${url.replace("http://", `http://me:${PASSWORD}@`)}?token=${PASSWORD}`;
    await stack.setSecret("packageUrl", secretUrl);
    const seen = await watchArguments(async () => {
      await stack.succeed(["up", "--yes", "--skip-preview", "--diff"]);
    });
    for (const line of seen) texts.push([line.slice(0, 60), line]);
  });

  after(async () => {
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
    for (const namespace of ["istio-system", "apps"]) await kubectl("delete", "namespace", namespace);
  });

  it("serves from a host of another namespace, to those who speak mutual TLS alone", async () => {
    // The host's sidecar knows its certificate, but not the service: what it hands over says nothing of identities.
    const page = () =>
      askFromPod("http://vmhttp.apps.svc.cluster.local:8080").then(
        (answer) => answer.page,
        (error: Error) => error.message,
      );
    let last = "";
    const served = () =>
      until(
        "the VM's page",
        30,
        async () => (last = await page()).startsWith("This is vm1."),
        () => last,
      );
    await served();
    await withStrictTls(async () => {
      await untilPlainly("refused", address, 8080);
      assert.match(await page(), /^This is vm1\./);
    });
  });

  it("has no ingress gateway, and nothing that patches one", async () => {
    assert.equal(await kubectl("get", "services", "--namespace=istio-system", "--output=name"), "service/istiod\n");
    const { stdout } = await stack.succeed(["stack", "output", "istiod"]);
    assert.match(stdout, /^172\.30\.0\.10:\d+$/);
  });

  it("shows the URL of the package nowhere", async () => {
    const { stdout } = await stack.succeed(["stack", "export"]);
    await stack.succeed(["preview", "--diff"]);
    const journal = await vmExec(lab, "vm1", ["journalctl", "--no-pager", "--output=export", "--all"]);
    assert.ok(
      texts.some(([, line]) => /istio-vm join/.test(line)),
      "the watcher did not see join run",
    );
    for (const [place, text] of [...texts, ...stack.transcript, ["state", stdout], ["journal", journal]] as const) {
      assert.ok(!text.includes(PASSWORD), place);
    }
  });

  it("leaves the namespaces that were there", async () => {
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    for (const namespace of ["istio-system", "apps"]) {
      const { status } = JSON.parse(await kubectl("get", "namespace", namespace, "--output=json")) as {
        status: { phase: string };
      };
      assert.equal(status.phase, "Active");
    }
    const left = await kubectl(
      "get",
      "configmaps,secrets,leases,services,serviceaccounts",
      "--namespace=istio-system",
      "--output=name",
    );
    assert.deepEqual(
      left
        .trim()
        .split("\n")
        .filter((name) => !/kube-root-ca\.crt|serviceaccount\/default/.test(name)),
      [],
    );
    assert.equal((await vmExec(lab, "vm1", ["bash", "-c", "ls /etc/certs 2>/dev/null || :"])).trim(), "");
  });
});

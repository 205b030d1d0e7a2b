import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { pemBlocks } from "../../mesh/pem";
import { isListedIn, issuedIn } from "../../mesh/revocation";
import { realTls } from "./realTls";
import { filesIn, withDirectory } from "./support";
import { type CaCerts, caCertsText } from "./tools/rotatingMesh";
import { commands, config, restoreConfig, run } from "./wholeProgram";

type Update = Awaited<ReturnType<typeof run>>;

describe("the program, with revocation lists", () => {
  after(restoreConfig);

  const names = ({ resources }: Update) => resources.map(({ name }) => name);
  const secretOf = ({ find }: Update): Record<string, string | undefined> => filesIn(find("cacerts-secret").inputs);
  const startOf = ({ find }: Update) => {
    const spec = find("istio-Deployment/istio-system/istiod").inputs.spec as {
      template: { metadata: { annotations: Record<string, string> } };
    };
    return spec.template.metadata.annotations["pulumi-istio-vm/read-at-start"];
  };
  const issuedBy = ({ find }: Update) => issuedIn(find("issued-record").inputs.data as Record<string, string>);

  /** Updates of one stack, one after the other. */
  const stack = () => {
    const kept = new Map<string, string>();
    let cacerts: CaCerts | undefined;
    let record: unknown;
    const update = (ca: object, changes: object = {}): Promise<Update> =>
      withDirectory(async (directory) => {
        const [secret, issued] = [join(directory, "cacerts"), join(directory, "issued")];
        writeFileSync(secret, cacerts === undefined ? "" : await caCertsText(cacerts));
        writeFileSync(issued, record === undefined ? "" : JSON.stringify({ data: record }));
        const kubectl = `case "$*" in
          *"get secret cacerts"*) cat ${secret}; exit ;;
          *"get configmap istio-vm-issued"*) cat ${issued}; exit ;;
        esac\n${commands.kubectl}`;
        const made = await run({ ca, ...changes }, false, undefined, { ...commands, kubectl }, realTls(kept));
        const files = secretOf(made);
        cacerts = {
          ...{ rootCert: files["root-cert.pem"]!, caCert: files["ca-cert.pem"]! },
          ...{ certChain: files["cert-chain.pem"]!, lists: files["ca-crl.pem"], owner: "me" },
        };
        if (names(made).includes("issued-record")) record = made.find("issued-record").inputs.data;
        return made;
      });
    return update;
  };
  const lists = { revocationLists: true };
  const without = (name: string, gone: boolean) => ({
    hosts: config.hosts.flatMap((host) => (host.name !== name ? [host] : gone ? [{ ...host, gone: true }] : [])),
    services: [],
  });
  const serialsOf = (made: Update, name: string) =>
    issuedBy(made)
      .filter(({ host }) => host === name)
      .map(({ serial }) => serial);

  it("has none unless they are wanted", async () => {
    const made = await stack()({});
    assert.ok(!("ca-crl.pem" in secretOf(made)));
    assert.ok(!names(made).some((name) => name.startsWith("issued")));
    assert.doesNotMatch(made.find("vm1-join").inputs.stdin as string, /\bcrl\b/);
  });

  it("has one of each CA, which all hosts get, and notes what they are sent before they join", async () => {
    const made = await stack()(lists);
    const text = secretOf(made)["ca-crl.pem"]!;
    const issuers = pemBlocks(text).map(({ pem }) => new x509.X509Crl(pem).issuer);
    assert.deepEqual(issuers, ["O=Istio, CN=Root CA", "O=Istio, CN=Root CA Intermediate"]);
    assert.deepEqual([serialsOf(made, "vm1").length, serialsOf(made, "vm2").length], [1, 1]);
    for (const { host, serial } of issuedBy(made)) {
      assert.ok(!isListedIn(text)(serial));
      assert.ok(made.find(host).dependencies.includes("issued-record"), host);
      assert.match(made.find(`${host}-join`).inputs.stdin as string, /ca-crl\.pem lists:/);
    }
    assert.equal(made.find("issued-record").provider, "cluster");
  });

  for (const gone of [true, false]) {
    it(`revokes what a host was sent that ${gone ? "is gone" : "leaves"}, though the stack has it no more; and goes on to when it is there again`, async () => {
      const update = stack();
      const first = await update(lists);
      const [serial] = serialsOf(first, "vm1");
      const second = await update(lists, without("vm1", gone));
      const after = secretOf(second)["ca-crl.pem"]!;
      assert.ok(isListedIn(after)(serial!));
      for (const other of serialsOf(second, "vm2")) assert.ok(!isListedIn(after)(other));
      assert.equal(startOf(second), startOf(first), "istiod takes other lists as it runs");
      const back = await update(lists);
      const all = secretOf(back)["ca-crl.pem"]!;
      assert.ok(isListedIn(all)(serial!));
      const mine = serialsOf(back, "vm1").filter((one) => one !== serial);
      assert.equal(mine.length, 1);
      assert.ok(!isListedIn(all)(mine[0]!));
    });
  }

  it("leaves the text as it is when nothing is revoked", async () => {
    const update = stack();
    const first = await update(lists, { hosts: [], services: [] });
    // Roots stay here, but intermediates are made anew each time, for the same keys.
    const again = await update(lists, { hosts: [], services: [] });
    assert.equal(secretOf(again)["ca-crl.pem"], secretOf(first)["ca-crl.pem"]);
  });

  it("has istiod start anew when there are some, and when there are none any more", async () => {
    const update = stack();
    const starts = [startOf(await update({})), startOf(await update(lists)), startOf(await update({}))];
    assert.notEqual(starts[1], starts[0]);
    assert.equal(starts[2], starts[0]);
  });

  it("has those of all CAs, before another one signs", async () => {
    const update = stack();
    await update(lists, { hosts: [], services: [] });
    const prepared = await update({ ...lists, root: 2 }, { hosts: [], services: [] });
    const issuers = pemBlocks(secretOf(prepared)["ca-crl.pem"]!).map(({ pem }) => new x509.X509Crl(pem).issuer);
    assert.deepEqual(issuers.sort(), [
      "O=Istio, CN=Root CA",
      "O=Istio, CN=Root CA 2",
      "O=Istio, CN=Root CA 2 Intermediate",
      "O=Istio, CN=Root CA Intermediate",
    ]);
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Issued, issue } from "../diagnosis/checks/pki";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");
const ID = "spiffe://cluster.local/ns/vm/sa/vm1";

/** Runs a script with what join has: the folder is CERTS and all else, and `bundle` in it is what was brought. */
function run(shell: string, folder: string, script: string, state = "") {
  const before = `set -eu
    here=$1/bundle STATE=$2 HOST=vm1 SSH_PORT=22 action=join PACKAGE_FORMAT=deb
    for file in lib files certificate identity lists commit join; do . "$0/$file.sh"; done
    CERTS=$1 HOME_DIR=$1 TOKEN=$1/tokens/istio-token IDENTITY=$1/identity
    rules_as_wanted() { :; }; ready() { true; }
    RESTART='' CHANGES='' SENT='' ROOTS=''`;
  const { stdout, stderr } = spawnSync(shell, ["-c", `${before}\n${script}`, SCRIPTS, folder, state], {
    encoding: "utf8",
  });
  return `${stdout}${stderr}`;
}

const state = (folder: string, roots: string, by: "token" | "certificate") => `host vm1
identity ${ID}
file 0644 ${folder}/root-cert.pem ${roots}
file 0644 ${folder}/cert-chain.pem ${by}:${ID}
file 0600 ${folder}/key.pem ${by}:${ID}`;

/** What join noted of the state that it wrote. */
const noted = (text: string) =>
  text
    .split("\n")
    .slice(2)
    .map((line) => `${line.split(" ").slice(1, 4).join(" ")}\n`)
    .join("");

for (const shell of ["sh", "bash"]) {
  describe(`the roots of a host, by ${shell}`, () => {
    let old: Issued, next: Issued, other: Issued, own: string;
    before(async () => {
      [old, next, other] = await Promise.all(
        ["old", "next", "other"].map((name) => issue({ subject: `CN=${name}`, ca: true })) as [
          Promise<Issued>,
          Promise<Issued>,
          Promise<Issued>,
        ],
      );
      own = (await issue({ uris: [ID], to: "2040-01-01T00:00:00Z" })).pem;
    });

    interface Case {
      /** What lies on the host; undefined for nothing. */
      has: string | undefined;
      /** What it is sent, and how the state calls that. */
      sent: string;
      roots?: string;
      by?: "token" | "certificate";
      /** What was noted as sent before. Default: roots:aa. */
      before?: string;
      script?: string;
    }
    /** `ROOTS|SENT|CHANGES|RESTART` after plan. */
    const planned = ({ has, sent, roots = "roots:bb", by = "certificate", before = "roots:aa", script = "" }: Case) =>
      withDirectory((folder) => {
        mkdirSync(join(folder, "bundle"));
        writeFileSync(join(folder, "bundle/root-cert.pem"), sent);
        for (const name of ["cert-chain.pem", "key.pem"]) writeFileSync(join(folder, name), own);
        if (has !== undefined) writeFileSync(join(folder, "root-cert.pem"), has);
        writeFileSync(join(folder, "sent"), noted(state(folder, before, by)));
        const tell = 'echo "$ROOTS|$SENT|$CHANGES|$RESTART"';
        return run(shell, folder, `${script}\nplan; ${tell}`, state(folder, roots, by));
      });
    /** The same certificates as another text. */
    const otherForm = (pem: string) => `Bag Attributes\r\n  friendlyName: x\r\n${pem.replaceAll("\n", "\r\n")}`;

    it("are as they were sent: nothing is to be done, whatever the agent has since put there", async () => {
      for (const has of [old.pem, old.pem + next.pem, other.pem])
        assert.equal(await planned({ has, sent: old.pem, roots: "roots:aa" }), "|||\n");
    });

    const both = () => old.pem + next.pem;
    for (const [what, texts] of [
      ["a further one", () => [old.pem, both()]],
      ["one less", () => [both(), next.pem]],
      ["one in the place of another", () => [both(), next.pem + other.pem]],
      ["the same in another order and form", () => [both(), otherForm(next.pem + old.pem)]],
    ] as [string, () => [string, string]][]) {
      it(`are written, and the sidecar runs on, as long as it has one of them: ${what}`, async () => {
        const [has, sent] = texts();
        for (const by of ["token", "certificate"] as const)
          assert.equal(await planned({ has, sent, by }), "new|| roots|\n", by);
      });
    }

    it("that an earlier version sent are taken as others, and the sidecar runs on", async () => {
      const upgraded = planned({ has: old.pem, sent: old.pem, before: "sha256:aa", roots: "roots:aa" });
      assert.equal(await upgraded, "new|| roots|\n");
    });

    for (const [what, text] of [
      ["others", () => old.pem + other.pem],
      ["something else", () => "no certificate\n"],
      ["nothing", () => undefined],
    ] as [string, () => string | undefined][]) {
      it(`of which it has none need a restart, and by token a token, for its certificate is of another mesh: ${what}`, async () => {
        const has = text();
        assert.equal(await planned({ has, sent: next.pem }), "new||| roots\n");
        assert.equal(await planned({ has, sent: next.pem, by: "token" }), "new|new|| roots token\n");
      });
    }

    it("that are gone need a restart though they are as they were sent", async () => {
      for (const has of ["", undefined])
        assert.equal(await planned({ has, sent: old.pem, roots: "roots:aa" }), "new||| roots\n");
    });

    it("are written anew where the sidecar is not ready: they may be why", async () => {
      const script = "ready() { false; }";
      const unready = planned({ has: old.pem, sent: old.pem, roots: "roots:aa", script });
      assert.equal(await unready, "unused|unused|| not-ready\n");
    });

    it("have nothing in common with a bundle that has none", async () => {
      assert.equal(await planned({ has: old.pem, sent: "" }), "new||| roots\n");
      // A link that the sidecar's user has made leads nowhere.
      const script = 'mv "$CERTS/root-cert.pem" "$CERTS/elsewhere"; ln -s elsewhere "$CERTS/root-cert.pem"';
      assert.equal(await planned({ has: old.pem, sent: old.pem, roots: "roots:aa", script }), "new||| roots\n");
      assert.equal(await planned({ has: "", sent: "" }), "new||| roots\n");
    });

    it("are written if they are to be, and then noted as sent", () =>
      withDirectory((folder) => {
        mkdirSync(join(folder, "bundle"));
        writeFileSync(join(folder, "bundle/root-cert.pem"), next.pem);
        writeFileSync(join(folder, "root-cert.pem"), old.pem);
        const script = `
          stage() { [ "$4" != content ] || [ "\${1##*/}" = root-cert.pem ] || echo "stages $1"
            file=$1; shift 3; "$@" >"$file.new"; }
          put() { mv "$1.new" "$1"; }; install() { :; }; forget_sent() { :; }
          replace() { file=$1; shift 3; "$@" >"$file"; }
          each_file "$(facts file)" write_file; [ ! -e "$1/sent" ] || echo noted
          ROOTS=new; stage_files; write_files`;
        const text = state(folder, "roots:bb", "certificate");
        const said = run(shell, folder, script, text);
        assert.match(said, /write *ok: nothing to change\n$/);
        assert.doesNotMatch(said, /stages|noted/);
        assert.equal(readFileSync(join(folder, "root-cert.pem"), "utf8"), next.pem);
        assert.ok(readFileSync(join(folder, "sent"), "utf8").includes(`0644 ${folder}/root-cert.pem roots:bb\n`));
      }));

    it("are the same certificates in any order and form", () =>
      withDirectory((folder) => {
        const texts = [old.pem + next.pem, otherForm(next.pem + old.pem), next.pem + old.pem + next.pem, old.pem];
        const digests = texts.map((text, n) => {
          writeFileSync(join(folder, `${n}`), text);
          return run(shell, folder, `certificates "$1/${n}"`);
        });
        assert.equal(digests[0]!.trim().split("\n").length, 2);
        assert.deepEqual(digests.slice(0, 3), Array(3).fill(digests[0]));
        assert.equal(digests[3]!.trim().split("\n").length, 1);
        rmSync(join(folder, "0"));
        assert.equal(run(shell, folder, 'certificates "$1/0"'), "");
      }));
  });
}

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { certificate, withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");
const NAME = "istiod.istio-system.svc";
const ID = "spiffe://cluster.local/ns/vm/sa/default";

/** Runs shell text with the scripts' functions, on a machine whose files are below a folder. */
function run(folder: string, text: string, state = "") {
  const script = `set -eu; here=$0
    for file in lib files certificate hosts adopt; do . "$here/$file.sh"; done
    HOME_DIR=$1/home RECORD=$1/home/record CERTS=$1/certs ADOPTED=$1/home/record/adopted STATE=$2 SSH_PORT=22 HOST=vm1
    utc() { date -u -d "@$1" +%FT%TZ; }
    cd "$1"; ${text}`;
  const { status, stdout, stderr } = spawnSync("dash", ["-c", script, SCRIPTS, folder, state], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
}

const ADOPTS = `istiod 15012 ${NAME} 192.0.2.10\nhosts 192.0.2.10 ${NAME}\nadopt yes`;

describe("host/commit.sh: before a change", () => {
  it("what runs at boot is left as it is, where there is no room for what would undo the change", async () => {
    const said = await withDirectory((folder) =>
      run(
        folder,
        `. "$here/restart.sh"; . "$here/commit.sh"
        CONFIRMED=none; systemctl() { echo "systemctl $*"; }; replace() { echo "no room for $1"; exit 0; }
        arm`,
      ),
    );
    assert.match(said, /^no room for .*istio-vm-undo\.service$/m);
    assert.doesNotMatch(said, /disable/);
  });
});

describe("host/adopt.sh", () => {
  describe("/etc/hosts", () => {
    /** What the file is while the host is ours, and what is given back of it. */
    const through = (text: string, state = ADOPTS) =>
      withDirectory((folder) => {
        writeFileSync(join(folder, "hosts"), text);
        const ours = run(folder, "content hosts block:hosts", state);
        writeFileSync(join(folder, "hosts"), ours);
        const again = run(folder, "content hosts block:hosts", state);
        return { ours, again, back: run(folder, "foreign hosts", state) };
      });

    it("has a line with another address for istiod set aside, and no other", async () => {
      const text = `127.0.0.1 localhost
192.0.2.1\t${NAME.toUpperCase()}  # by hand
192.0.2.10 ${NAME}
# 192.0.2.1 ${NAME}
192.0.2.1 ${NAME} istiod.istio-system.svc.cluster.local istiod-1-31.istio-system.svc
192.0.2.1 ${NAME} database
192.0.2.1 else
`;
      const { ours, again, back } = await through(text);
      const [, second, third, , fifth, sixth] = ours.split("\n");
      assert.equal(second, `# set aside by istio-vm: 192.0.2.1\t${NAME.toUpperCase()}  # by hand`);
      assert.equal(third, `192.0.2.10 ${NAME}`);
      assert.match(fifth!, /^# set aside by istio-vm: 192\.0\.2\.1 istiod\.istio-system\.svc istiod/);
      assert.equal(sixth, `192.0.2.1 ${NAME} database`);
      assert.equal(ours.match(/set aside/g)?.length, 2);
      assert.equal(again, ours);
      assert.equal(back, text);
      // Where nothing is taken over, nothing is set aside; check refuses such a host.
      assert.doesNotMatch((await through(text, ADOPTS.replace("\nadopt yes", ""))).ours, /set aside/);
    });

    it("comes back as it was, whatever is in it", () => {
      const line = fc.constantFrom(
        "",
        " ",
        "# mine",
        `192.0.2.1 ${NAME}`,
        `192.0.2.1 ${NAME}\r`,
        `  192.0.2.1 ${NAME}`,
        `192.0.2.10 ${NAME}`,
        `192.0.2.1 x ${NAME}`,
        "::1 localhost \\ %s $x",
      );
      return fc.assert(
        fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
          const text = lines.map((each) => `${each}\n`).join("");
          const { ours, again, back } = await through(text);
          assert.equal(back, text);
          assert.equal(again, ours);
        }),
        { numRuns: 25 },
      );
    });
  });

  describe("certificates", () => {
    const day = 86_400_000;
    const of = (days: number, uri = ID) => certificate({ uris: [uri], notAfter: new Date(Date.now() + days * day) });

    /** What is decided of these certificates: those that were recorded, and those that lie there. */
    async function choice(
      saved: string,
      now: string,
      { root = "root", doing = "ready" } = {},
    ): Promise<{ kept: string; said: string }> {
      return withDirectory((folder) => {
        for (const path of ["home/record/saved", "certs"]) mkdirSync(join(folder, path), { recursive: true });
        const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
        const recorded = (name: string) => `home/record/saved/${join(folder, "certs", name).replaceAll("/", "_")}`;
        write("home/record/adopted", `${doing}\n`);
        write(recorded("cert-chain.pem"), saved);
        write(recorded("root-cert.pem"), "root");
        write("certs/cert-chain.pem", now);
        write("certs/root-cert.pem", root);
        write("home/state", `identity ${ID}\n`);
        const said = run(folder, 'choose_certificates; echo "kept $KEPT"');
        return { kept: /^kept (.*)$/m.exec(said)![1]!.replaceAll(`${folder}/`, ""), said };
      });
    }

    it("gives back what was recorded, as long as it is valid", async () =>
      assert.deepEqual(await choice(await of(1), await of(2)), { kept: "", said: "kept \n" }));

    it("keeps what the sidecar has by now where the recorded one has ended, for the same identity and root", async () => {
      const { kept, said } = await choice(await of(-1), await of(1));
      assert.equal(kept, "certs/cert-chain.pem certs/key.pem");
      assert.match(said, /ended 20\S+Z: that which the sidecar has now stays, for the same identity/);
    });

    it("and otherwise gives back what was recorded, and says that it has ended", async () => {
      const [old, now, elsewhere] = [await of(-1), await of(1), `${ID}2`];
      const cases: Record<string, ReturnType<typeof choice>> = {
        "another root": choice(old, now, { root: "new" }),
        "another identity by now": choice(old, await of(1, elsewhere)),
        "another identity before": choice(await of(-1, elsewhere), now),
        "one that has ended as well": choice(old, old),
      };
      for (const [what, result] of Object.entries(cases)) {
        const { kept, said } = await result;
        assert.equal(kept, "", what);
        assert.match(said, /comes back as it was: its sidecar needs a new one, or a token: kubectl create token/, what);
      }
    });

    it("leaves the files of a sidecar that did not run alone", async () =>
      assert.deepEqual(await choice(await of(-1), await of(1), { doing: "stopped" }), { kept: "", said: "kept \n" }));
  });

  it("what was taken over stays so when the configuration says it no more", () =>
    withDirectory((folder) => {
      const state = "host vm1";
      assert.equal(run(folder, "adopting || echo no", state), "no\n");
      mkdirSync(join(folder, "home/record"), { recursive: true });
      writeFileSync(join(folder, "home/record/adopted"), "stopped\n");
      assert.equal(run(folder, "adopting && echo yes; had_sidecar || echo stopped", state), "yes\nstopped\n");
      assert.ok(existsSync(join(folder, "home/record/adopted")));
      assert.equal(readFileSync(join(folder, "home/record/adopted"), "utf8"), "stopped\n");
    }));
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { issue } from "../diagnosis/checks/pki";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");
const ID = "spiffe://cluster.local/ns/vm/sa/vm1";
const LONG = `spiffe://${"trust.".repeat(20)}example/ns/vm/sa/${"a".repeat(100)}`;

/** Runs a script with what join has, in a folder that is the bundle, CERTS and all else, by this shell. */
function run(shell: string, folder: string, script: string, state = "") {
  const before = `set -eu
    here=$1 STATE=$2 HOST=vm1 SSH_PORT=22 action=join PACKAGE_FORMAT=deb
    for file in lib files certificate identity lists commit join; do . "$0/$file.sh"; done
    CERTS=$1 HOME_DIR=$1 TOKEN=$1/tokens/istio-token IDENTITY=$1/identity
    rules_as_wanted() { :; }; ready() { true; }; last_words() { echo "$LOG"; }
    RESTART='' LOG=''`;
  return spawnSync(shell, ["-c", `${before}\n${script}`, SCRIPTS, folder, state], { encoding: "utf8" });
}

const tokenState = (id: string) => `host vm1
identity ${id}
file 0644 /etc/certs/root-cert.pem roots:aa
file 0644 /etc/certs/cert-chain.pem token:${id}
file 0600 /etc/certs/key.pem token:${id}`;

for (const shell of ["sh", "bash"]) {
  describe(`host/identity.sh and certificate.sh, by ${shell}`, () => {
    const withCertificate = (uris: string[], from: string, to: string, use: (folder: string) => void) =>
      withDirectory(async (folder) => {
        const { pem } = await issue({ uris, from, to });
        // Its issuers follow in the file, and are not looked at.
        const other = await issue({ uris: ["spiffe://other"], to: "2049-01-01T00:00:00Z" });
        writeFileSync(join(folder, "cert-chain.pem"), pem + other.pem);
        use(folder);
      });

    it("reads from a certificate when it ends, without openssl", () =>
      withCertificate([ID], "2026-01-01T00:00:00Z", "2031-02-03T04:05:06Z", (folder) => {
        const { stdout } = run(
          shell,
          folder,
          `certificate_end "$CERTS/cert-chain.pem"; has_ended "$CERTS/cert-chain.pem" || echo valid`,
        );
        assert.equal(stdout, `${Date.parse("2031-02-03T04:05:06Z") / 1000}\nvalid\n`);
      }));

    it("knows that one has ended", () =>
      withCertificate([ID], "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", (folder) => {
        assert.equal(run(shell, folder, 'has_ended "$CERTS/cert-chain.pem" && echo ended').stdout, "ended\n");
      }));

    for (const id of [ID, LONG]) {
      it(`knows whose it is, of an identity of ${id.length} characters`, () =>
        withCertificate([id], "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z", (folder) => {
          const asks = (who: string) => `is_for "$CERTS/cert-chain.pem" ${who} && echo yes || echo no`;
          const script = [id, id.slice(0, -1), `${id}0`, "spiffe://other"].map(asks).join("\n");
          assert.equal(run(shell, folder, script).stdout, "yes\nno\nno\nno\n");
        }));
    }

    it("says of no certificate neither that it ended nor whose it is", () =>
      withDirectory((folder) => {
        const asks = `has_ended "$CERTS/cert-chain.pem" || echo no; is_for "$CERTS/cert-chain.pem" ${ID} || echo no`;
        assert.equal(run(shell, folder, asks).stdout, "no\nno\n");
        writeFileSync(join(folder, "cert-chain.pem"), "-----BEGIN CERTIFICATE-----\n????\n");
        assert.equal(run(shell, folder, asks).stdout, "no\nno\n");
      }));

    describe("a token", () => {
      /** Which reason plan has to put it there, if any, on a host that joined as ID. */
      const planned = (state: string, change: (folder: string) => void = () => undefined) => {
        let said = "";
        return withCertificate([ID], "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z", (folder) => {
          const here = (text: string) => text.replaceAll("/etc/certs", folder);
          const sent = tokenState(ID)
            .split("\n")
            .slice(2)
            .map((line) => line.split(" ").slice(1, 4).join(" "));
          writeFileSync(join(folder, "sent"), here(`${sent.join("\n")}\n`));
          for (const name of ["root-cert.pem", "key.pem"]) writeFileSync(join(folder, name), "x");
          change(folder);
          const { stdout, stderr } = run(shell, folder, 'plan; echo "$SENT|$RESTART"', here(state));
          said = `${stdout}${stderr}`;
        }).then(() => said);
      };

      it("is not needed by a host that has the identity", async () => {
        assert.equal(await planned(tokenState(ID)), "|\n");
      });
      it("is needed for another identity, and by another root", async () => {
        assert.equal(await planned(tokenState(`${ID}0`)), "new| token\n");
        assert.equal(await planned(tokenState(ID).replace("roots:aa", "roots:bb")), "new| roots token\n");
      });
      it("is needed where the certificate is gone, or has ended", async () => {
        assert.equal(
          await planned(tokenState(ID), (folder) => writeFileSync(join(folder, "cert-chain.pem"), "")),
          "missing| token\n",
        );
        const { pem } = await issue({ uris: [ID], from: "2020-01-01T00:00:00Z", to: "2021-01-01T00:00:00Z" });
        assert.equal(
          await planned(tokenState(ID), (folder) => writeFileSync(join(folder, "cert-chain.pem"), pem)),
          "ended| token\n",
        );
      });

      it("must have come along when it is needed", () =>
        withDirectory((folder) => {
          const { status, stderr } = run(shell, folder, "stage_token");
          assert.equal(status, 3);
          assert.match(stderr, /did not come along: run pulumi up again/);
        }));

      it("leaves what was there aside, and nothing of itself", () =>
        withDirectory((folder) => {
          for (const name of ["istio-token", "key.pem", "cert-chain.pem"])
            writeFileSync(join(folder, name), "secret\n");
          const script = `
            stage() { mkdir -p "$1.d"; cat "$here/istio-token" >"$1.d/new"; }; put() { cp "$1.d/new" "$1"; }
            staged() { echo "$1.d/new"; }; mkdir -p "$1/tokens"; SENT=new ROOTS='' CHANGES='' RESTART=' token'
            replace() { :; }; install() { :; }
            stage_files; write_files; cat "$TOKEN"; spend_token; find "$1/tokens" -type f`;
          const { stdout, stderr } = run(
            shell,
            folder,
            script,
            tokenState(ID)
              .replaceAll("/etc/certs", folder)
              .replace(/^.*root-cert.*\n/m, ""),
          );
          assert.equal(stderr, "");
          assert.match(stdout, /secret\n$/);
          assert.deepEqual(
            readdirSync(folder).filter((name) => name.endsWith(".pem")),
            [],
          );
          assert.equal(readFileSync(join(folder, "istio-token"), "utf8"), "secret\n");
        }));

      it("that istiod refuses is named as the reason", () =>
        withDirectory((folder) => {
          const log = "rpc error: code = Unauthenticated desc = request authenticate failure";
          const script = `LOG=${JSON.stringify(log)}; refused_identity`;
          assert.match(
            run(shell, folder, script, tokenState(ID)).stdout,
            new RegExp(`does not accept the token of ${ID}`),
          );
          assert.equal(run(shell, folder, "LOG=else; refused_identity", tokenState(ID)).stdout, "");
        }));
    });

    describe("a certificate that was sent", () => {
      const SENT = "what was sent\n";
      const digest = createHash("sha256").update(SENT).digest("hex").slice(0, 16);
      const state = (folder: string) => `host vm1
identity ${ID}
file 0644 ${folder}/cert-chain.pem certificate:${ID}
file 0600 ${folder}/key.pem certificate:${ID}
file 0644 ${folder}/identity/cert-chain.pem sha256:${digest}
file 0600 ${folder}/identity/key.pem of-certificate:${digest}`;
      /** Which reasons plan has to send it, and to restart the sidecar, on a host that has joined with it. */
      const planned = async (change: (folder: string) => void = () => undefined, to = "2031-01-01T00:00:00Z") => {
        let said = "";
        await withCertificate([ID], "2020-01-01T00:00:00Z", to, (folder) => {
          mkdirSync(join(folder, "identity"));
          const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
          write("key.pem", "the agent's");
          write("identity/cert-chain.pem", SENT);
          write("identity/key.pem", "sent");
          const lines = state(folder).split("\n").slice(2);
          write("sent", lines.map((line) => line.split(" ").slice(1, 4).join(" ") + "\n").join(""));
          change(folder);
          const { stdout, stderr } = run(shell, folder, 'plan; echo "$SENT|$RESTART|$CHANGES"', state(folder));
          said = `${stdout}${stderr}`;
        });
        return said;
      };

      it("stays as it is, and the sidecar runs on", async () => assert.equal(await planned(), "||\n"));
      it("is sent again where it is gone, or something else lies there, and the sidecar runs on", async () => {
        for (const path of ["cert-chain.pem", "key.pem"]) {
          assert.equal(await planned((folder) => rmSync(join(folder, "identity", path))), "missing||\n", path);
        }
        const other = (folder: string) => writeFileSync(join(folder, "identity/cert-chain.pem"), "other\n");
        assert.equal(await planned(other), "missing||\n");
      });
      it("another one is sent, and the sidecar runs on", async () => {
        const before = (folder: string) => writeFileSync(join(folder, "sent"), "0644 another\n");
        assert.equal(await planned(before), "new||\n");
      });
      it("is looked at anew by a sidecar whose own has ended, or is gone", async () => {
        assert.equal(await planned(undefined, "2021-01-01T00:00:00Z"), "| identity|\n");
        for (const path of ["cert-chain.pem", "key.pem"]) {
          assert.equal(await planned((folder) => rmSync(join(folder, path))), "| identity|\n", path);
        }
      });

      it("is not kept where a token takes its place", () =>
        withDirectory((folder) => {
          mkdirSync(join(folder, "identity"));
          for (const name of ["cert-chain.pem", "key.pem"]) writeFileSync(join(folder, "identity", name), SENT);
          const there = () => readdirSync(join(folder, "identity"));
          run(shell, folder, "forget_sent", state(folder));
          assert.equal(there().length, 2);
          run(shell, folder, "forget_sent", tokenState(ID));
          assert.deepEqual(there(), []);
        }));
    });

    it("is compared with the clock where pulumi runs before anything changes", () =>
      withDirectory((folder) => {
        const clocks = (ahead: number) => {
          writeFileSync(join(folder, "clocks"), `1000000 ${1000000 + ahead}\n`);
          const script = `for file in check; do sed '/^\\. /d' "$0/check.sh" >"$1/check.sh"; . "$1/check.sh"; done
            FINDINGS=''; check_clock; echo "$FINDINGS"`;
          return run(shell, folder, script, tokenState(ID)).stdout;
        };
        assert.equal(clocks(59), "\n");
        assert.equal(clocks(-60), "\n");
        assert.match(clocks(61), /IVM503 its clock says 1970-01-12T13:47:41Z, that of .* says 1970-01-12T13:46:40Z/);
        assert.match(clocks(-61), /IVM503/);
      }));
  });
}

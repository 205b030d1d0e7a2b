import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { FOLLOW_SCRIPT, followHost, hostByName, mergeLogs, READ_SCRIPT, readIstiodLogs } from "../../../cli/logs";
import type { Config } from "../../../config";
import { istiodsOf } from "../../../diagnosis/facts";
import { USUAL_ISTIOD } from "../../../mesh/istiod";
import { withSession } from "../../../ssh/session";
import { healthyFacts } from "../diagnosis/checks/facts";
import { fakeTools } from "./fakeTools";
import { sshKey, startSshServer } from "../../support/sshServer";

const line = (second: number, text: string) => `2026-11-23T17:00:0${second}.000000Z\tinfo\t${text}`;

describe("cli/logs", () => {
  let folder: string;
  let env: Record<string, string>;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "istio-vm-logs-"));
    const journalctl = join(folder, "journalctl");
    // Follows only if it is asked to, and says how it was asked.
    writeFileSync(journalctl, '#!/bin/sh\necho "journal $*"\ncase $* in *--follow*) exec tail -f /dev/null ;; esac\n');
    chmodSync(journalctl, 0o755);
    env = { PATH: `${folder}:${process.env.PATH}`, ISTIO_LOGS: folder };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const log = (name: string, ...lines: string[]) => writeFileSync(join(folder, name), `${lines.join("\n")}\n`);

  it("reads the end of the journal and of both files of a host", async () => {
    log("istio.err.log", "e1", "e2", "e3");
    log("istio.log", "o1", "o2", "o3");
    const { stdout } = await execa("sh", ["-s", "--", "2"], { input: READ_SCRIPT, env });
    assert.deepEqual(
      stdout.split("\x1e").map((text) => text.trim()),
      ["journal --unit=istio --no-pager --quiet --output=short-iso-precise --lines=2", "e2\ne3", "o2\no3"],
    );
  });

  it("reads a host that has no log files yet", async () => {
    const { stdout } = await execa("sh", ["-s", "--", "2"], { input: READ_SCRIPT, env });
    assert.equal(stdout.split("\x1e").length, 3);
  });

  it("follows a host over SSH, and ends what runs there when it is stopped", async () => {
    log("istio.err.log", "e1");
    log("istio.log", "o1", "o2", "o3");
    const key = sshKey();
    const server = await startSshServer({ authorizedKey: key.public });
    const stop = new AbortController();
    const shown: string[] = [];
    const seen = async (text: string) => {
      while (!shown.includes(text)) await new Promise((resolve) => setImmediate(resolve));
    };
    try {
      const login = { host: "127.0.0.1", port: server.port, privateKey: key.private, hostKey: server.hostKey };
      const command = `export PATH=${folder}:$PATH ISTIO_LOGS=${folder}; echo $$; exec sh -s -- 2`;
      await withSession(login, async (client) => {
        const following = followHost(client, command, stop.signal, (text) => shown.push(text));
        await seen("o3");
        appendFileSync(join(folder, "istio.log"), "access_token=abc\n");
        await seen("access_token=[removed]");
        await seen("journal --unit=istio --no-pager --quiet --output=short-iso-precise --lines=2 --follow");
        assert.ok(!shown.includes("o1"));
        const children = (await execa("ps", ["--ppid", shown[0]!, "-o", "args="])).stdout;
        assert.match(children, /^tail --quiet/m);
        stop.abort();
        await following;
        const left = await execa("ps", ["--ppid", shown[0]!, "-o", "args="], { reject: false });
        assert.equal(left.stdout, "");
        const tails = await execa("pgrep", ["-f", `tail .*${folder}`], { reject: false });
        assert.equal(tails.stdout, "", "no tail is left");
      });
    } finally {
      await server.close();
    }
  });

  it("ends what runs on a host when the line to it is lost", async () => {
    log("istio.err.log", "e1");
    log("istio.log", "o1");
    const script = execa("sh", ["-s", "--", "2"], { env, buffer: false });
    script.stdin!.write(FOLLOW_SCRIPT);
    await once(script.stdout!, "data");
    script.stdin!.end();
    assert.equal((await script).exitCode, 0);
  });

  it("says why a host's logs can't be followed", async () => {
    const key = sshKey();
    const server = await startSshServer({ authorizedKey: key.public });
    try {
      const login = { host: "127.0.0.1", port: server.port, privateKey: key.private, hostKey: server.hostKey };
      const command = "echo 'sudo: a password is required' >&2; exit 1";
      await assert.rejects(
        withSession(login, (client) => followHost(client, command, new AbortController().signal, () => undefined)),
        { kind: "sudo", message: "its logs can't be read: sudo: a password is required" },
      );
    } finally {
      await server.close();
    }
  });

  it("merges logs by time, keeps lines together, and takes the last ones", () => {
    const logs = [
      [line(1, "a"), "  of a", line(4, "d")],
      [line(2, "b"), line(3, "c token=x")],
    ].map((lines) => ({ where: "vm1", text: lines.join("\n") }));
    assert.deepEqual(mergeLogs(logs, 4), ["  of a", line(2, "b"), line(3, "c token=[removed]"), line(4, "d")]);
  });

  it("names the hosts there are, if there is none of that name", () => {
    const config = { hosts: [{ name: "vm1" }, { name: "db" }] } as Config;
    assert.equal(hostByName(config, "db").name, "db");
    assert.throws(() => hostByName(config, "dp", "istiod"), /there is no host "dp": use one of istiod, vm1, db$/);
  });

  describe("readIstiodLogs", () => {
    const canary = { service: "istiod-canary", namespace: "mesh", revision: "canary" };

    /** What kubectl says to each command, found by a part of it. */
    const kubectl =
      (answers: Record<string, string>, asked: string[] = []) =>
      (args: string[]): Promise<string> => {
        const command = args.join(" ");
        asked.push(command);
        const part = Object.keys(answers).find((one) => command.includes(one));
        return part === undefined
          ? Promise.reject(new Error(`no answer to ${command}`))
          : Promise.resolve(answers[part]!);
      };

    it("reads every pod of the revision, and before it the one that crashed", async () => {
      const asked: string[] = [];
      const answers = {
        "get pods": "istiod-a 0 2026-11-23T17:00:00Z\nistiod-b 2 2026-11-23T17:00:00Z\n",
        "--previous": "crashed",
        "istiod-a": "a",
        "istiod-b": "b",
      };
      assert.deepEqual(await readIstiodLogs(kubectl(answers, asked), canary, 7), [
        { where: "istiod-a", writer: "istiod", text: "\na" },
        { where: "istiod-b", writer: "istiod", text: "crashed\nb" },
      ]);
      assert.match(asked[0]!, /^get pods --namespace=mesh --selector=app=istiod,istio.io\/rev=canary /);
      assert.ok(asked.every((command) => command.includes("--namespace=mesh")));
      assert.equal(asked.filter((command) => command.includes("--previous")).length, 1);
      assert.ok(asked.slice(1).every((command) => command.includes("--tail=7")));
    });

    it("does not read a crash twice while the next start is waited for, nor miss one that is gone", async () => {
      const waiting = kubectl({ "get pods": "istiod-a 2 \n", "istiod-a": "crashed" });
      assert.equal((await readIstiodLogs(waiting, USUAL_ISTIOD, 7))[0]!.text.trim(), "crashed");
      const rebooted = (args: string[]) =>
        args.includes("--previous")
          ? Promise.reject(new Error("gone"))
          : kubectl({ "get pods": "istiod-a 1 now", "": "a" })(args);
      assert.equal((await readIstiodLogs(rebooted, USUAL_ISTIOD, 7))[0]!.text.trim(), "a");
    });

    it("is of the control planes that hosts belong to; before there is one, of what is installed", async () => {
      const { outputs } = await healthyFacts();
      outputs!.controlPlanes.canary = { ...outputs!.controlPlanes.default!, ...canary };
      assert.deepEqual(
        istiodsOf(outputs).map(({ namespace, revision }) => `${namespace}/${revision}`),
        ["istio-system/default", "mesh/canary"],
      );
      assert.deepEqual(istiodsOf(undefined), [USUAL_ISTIOD]);
    });

    it("says that there is no istiod", async () => {
      await assert.rejects(
        readIstiodLogs(kubectl({ "get pods": "" }), canary, 7),
        /no pod of istiod-canary in the namespace mesh$/,
      );
    });
  });

  it("follows istiod until Ctrl-C", async () => {
    const tools = fakeTools({ kubectl: 'echo "$* token=abc"; exec sleep 60' });
    const code = `require("./cli/logs").logs({ lines: 5, follow: true }, ["istiod"]).then((code) => (process.exitCode = code))`;
    try {
      const command = execa(process.execPath, ["-r", "tsx/cjs", "-e", code], {
        cwd: join(__dirname, "..", "..", ".."),
        env: { PATH: `${tools}:${process.env.PATH}` },
        reject: false,
      });
      const [said] = (await once(command.stdout!, "data")) as [Buffer];
      assert.match(said.toString(), /^logs .*--selector=app=istiod .*--tail=5 --follow token=\[removed\]\n$/);
      command.kill("SIGINT");
      const { exitCode, stderr } = await command;
      assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    } finally {
      rmSync(tools, { recursive: true });
    }
  });
});

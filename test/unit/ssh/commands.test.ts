import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import fc from "fast-check";
import {
  accessCommand,
  attendCommand,
  confirmCommand,
  hostScript,
  leaveCommand,
  logsCommand,
  PROLOGUE,
  receiveCommand,
  remoteCommand,
  withState,
} from "../../../ssh/commands";
import { withCommands, withDirectory } from "../support";

const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));
const CONNECTION = "10.0.0.9 40000 10.0.0.1 22";

/** A sudo that lets one become root, and remembers what it was given. */
const SUDO = `printf '%s\\n' "$@" >"$LOG.words"; shift; tee "$LOG.stdin" | "$@"`;

/** Runs a command as a login shell does, as somebody who is root (uid 0) or not. */
function run(command: string, input = "", { uid = 1000, sudo = SUDO, shell = ["sh", "-c"] } = {}) {
  return withDirectory((directory) =>
    withCommands({ id: `[ "$1" = -un ] && echo o\\'neil || echo ${uid}`, sudo }, () => {
      const log = `${directory}/log`;
      const before = leftovers();
      const outcome = spawnSync(shell[0]!, [...shell.slice(1), command], {
        input,
        encoding: "utf8",
        env: { ...process.env, SSH_CONNECTION: CONNECTION, LOG: log },
        timeout: 20_000,
      });
      assert.deepEqual(leftovers(), before, "something is left in /tmp");
      const read = (name: string) => spawnSync("cat", [`${log}.${name}`], { encoding: "utf8" }).stdout;
      return { ...outcome, words: read("words").trim(), stdin: read("stdin") };
    }),
  );
}
const leftovers = () => readdirSync("/tmp").filter((name) => /^istio-vm\.\w{6}$/.test(name));

const RPM = { format: "rpm", architecture: "amd64", sha256: "5a" } as const;
const SCRIPT = `${PROLOGUE}printf '<%s>' "$@"; echo THE KEY
exit 7
`;

describe("a command for a root shell", () => {
  for (const uid of [0, 1000]) {
    it(`runs the script on its stdin, with words and connection, as user ${uid}`, async () => {
      const { status, stdout } = await run(attendCommand("abc", [RPM]), SCRIPT, { uid });
      assert.deepEqual([status, stdout], [7, "<attend><abc><rpm/amd64/5a><10.0.0.9><40000><10.0.0.1><22>THE KEY\n"]);
    });
  }

  it("gives sudo no byte of the script: it may write down what it is given", async () => {
    const { words, stdin } = await run(attendCommand("abc"), SCRIPT);
    assert.deepEqual(words.split("\n"), ["-n", "sh", "-s", "--", "attend", "abc"]);
    assert.match(stdin, /^exec sh \/tmp\/istio-vm\.\w{6}\/input attend abc 10\.0\.0\.9 40000 10\.0\.0\.1 22\n$/);
  });

  it("does without sudo for root", async () => {
    const { status, words } = await run(remoteCommand("join"), SCRIPT, { uid: 0, sudo: "exit 9" });
    assert.deepEqual([status, words], [7, ""]);
  });

  it("ends, and leaves nothing, when sudo refuses", async () => {
    const { status, stderr, signal } = await run(remoteCommand("join"), SCRIPT.repeat(10_000), {
      sudo: "echo 'sudo: a password is required' >&2; exit 1",
    });
    assert.deepEqual([status, signal, stderr], [1, null, "sudo: a password is required\n"]);
  });

  it("has nothing that some login shell would read in another way than sh", () => {
    const commands = [
      accessCommand("vm1"),
      attendCommand("abc", [RPM]),
      confirmCommand("abc", new Date(0)),
      leaveCommand(),
      logsCommand(5),
      receiveCommand("/run/istio-vm/bundle.abcdef"),
      remoteCommand("join"),
    ];
    for (const command of commands) {
      // In single quotes: fish knows the backslash, csh the exclamation mark (but before a blank) and the line's end.
      assert.match(command, /^sh -c '(?:[^'\\!\n]|! )*'$/);
    }
    assert.throws(() => attendCommand("a b"), /is no word that every shell takes as it is/);
  });

  for (const shell of ["fish", "tcsh", "zsh", "ksh", "busybox ash", "bash", "dash"]) {
    it(`passes through ${shell}`, async function () {
      const argv = [...shell.split(" "), "-c"];
      if (spawnSync(argv[0]!, [...argv.slice(1), "exit 0"]).status !== 0) this.skip();
      for (const uid of [0, 1000]) {
        const { status, stdout, stderr } = await run(attendCommand("abc"), SCRIPT, { uid, shell: argv });
        const said = `<attend><abc><${CONNECTION.replaceAll(" ", "><")}>THE KEY\n`;
        assert.deepEqual([status, stdout, stderr], [7, said, ""]);
      }
    });
  }
});

describe("withState", () => {
  it("hands the state over as it is, whatever it holds", () =>
    fc.assert(
      fc.property(text, (state) => {
        const script = withState(state, `printf '%s' "$state"`);
        assert.equal(spawnSync("sh", ["-s"], { input: script, encoding: "utf8" }).stdout, `\n${state}\n`);
      }),
      { numRuns: 30 },
    ));
});

describe("receiveCommand", () => {
  it("gives what is on stdin, which is no script, to the script of that folder", () =>
    withDirectory(async (directory) => {
      const folder = `${directory}/bundle.abcdef`;
      spawnSync("sh", ["-c", `mkdir ${folder}; echo 'echo "$1"; cat "$2" | sha256sum' >${folder}/istio-vm`]);
      const content = "exit 1\n".repeat(50_000);
      const sum = spawnSync("sha256sum", { input: content, encoding: "utf8" }).stdout;
      for (const uid of [0, 1000]) {
        const { status, stdout } = await run(receiveCommand(folder), content, { uid });
        assert.deepEqual([status, stdout], [0, `receive\n${sum}`]);
      }
    }));
});

describe("hostScript", () => {
  it("says that one is root, and where", async () => {
    const { status, stdout } = await run(accessCommand("vm1"), `${hostScript("vm1", "me")}echo never`);
    assert.equal(status, 0);
    assert.match(stdout, /^vm1: access {3}ok: root on \S.*\n$/);
  });

  it("says whom to let become root when one can't", async () => {
    const { status, stderr } = await run(accessCommand("vm1"), hostScript("vm1", "me"), { sudo: "exit 5" });
    assert.equal(status, 5);
    assert.match(stderr, /^vm1: IVM602 o'neil cannot become root: let o'neil run sudo without a password /);
  });

  const elsewhere = (home: string) =>
    hostScript("vm1", "me").replaceAll("/var/lib/istio-vm", home).replaceAll("/etc/hosts", `${home}.hosts`);

  it("says of a host that was not joined that there is nothing to undo", () =>
    withDirectory(async (directory) => {
      const { status, stdout } = await run(leaveCommand(), elsewhere(`${directory}/home`));
      assert.deepEqual([status, stdout], [0, "vm1: left     it was not joined: nothing to undo\n"]);
    }));

  for (const [what, make] of [
    ["its record", 'mkdir -p "$0/record"'],
    ["what was joined", 'mkdir "$0"; : >"$0/state"'],
    ["our lines in /etc/hosts", `echo '# BEGIN istio-vm (managed by pulumi-istio-vm)' >"$0.hosts"`],
  ]) {
    it(`does not say so of one that has still ${what}`, () =>
      withDirectory(async (directory) => {
        spawnSync("sh", ["-c", make!, `${directory}/home`]);
        const { status, stdout, stderr } = await run(leaveCommand(), elsewhere(`${directory}/home`));
        assert.deepEqual([status, stdout], [3, ""]);
        assert.match(stderr, /^vm1: it is joined, but the scripts that give it back are gone/);
      }));
  }
});

/** The commands that a host's SSH server is given, and the scripts on their stdin. */
import { LISTS_FILE, SENT_IDENTITY } from "../mesh/environment";
import type { HostPackage } from "../mesh/hostState";
import { sha256 } from "../mesh/digest";
import { quote } from "../mesh/shell";

const HOME = "/var/lib/istio-vm";
const INSTALLED = `${HOME}/bin/istio-vm`;

/** What any login shell passes on as it is: that of a user may be fish or csh. */
const PLAIN = /^[\w./-]+$/;

/**
 * A command that runs `shell`, a shell or a script, as root, with these words as its arguments, and the four of
 * SSH_CONNECTION behind them: sudo would drop it, and the port in use must never be intercepted.
 *
 * What is on stdin is not given to sudo, which would write it down where it is set to (`log_input`): a key may be in it.
 * It goes through a FIFO, which `$input` names, and which root's own shell reads; where one is root already it is stdin.
 */
function asRoot(shell: { direct: string; throughSudo: string }, words: string[], otherwise = "") {
  const odd = words.find((word) => !PLAIN.test(word));
  if (odd !== undefined) throw new Error(`${JSON.stringify(odd)} is no word that every shell takes as it is`);
  const args = words.join(" ");
  const steps = [
    "umask 077",
    `if [ "$(id -u)" -eq 0 ]; then exec ${shell.direct} ${args} $SSH_CONNECTION; fi`,
    "d=$(mktemp -d /tmp/istio-vm.XXXXXX) || exit",
    "input=$d/input",
    "mkfifo $input || exit",
    "exec 3<&0",
    // In the background: it waits until root reads.
    `cat <&3 >$input & echo "exec ${shell.throughSudo} ${args} $SSH_CONNECTION" | sudo -n sh -s -- ${args}`,
    "status=$?",
    "kill $! 2>/dev/null",
    "rm -rf $d",
    ...(otherwise ? [`[ $status -eq 0 ] || ${otherwise}`] : []),
    "exit $status",
  ];
  return `sh -c '${steps.join("; ")}'`;
}

/** A root shell that reads its script from stdin. */
const rootShell = (words: string[], otherwise?: string) =>
  asRoot({ direct: "sh -s --", throughSudo: "sh $input" }, words, otherwise);

/** What a script of such a shell begins with. */
export const PROLOGUE = `case $0 in /tmp/istio-vm.*/input) rm -rf "\${0%/*}" ;; esac
`;

/** A script with the state before it, as its variable `state`: a preview shows line by line what changes. */
export const withState = (state: string, script: string) => `state=${quote(`\n${state}\n`)}\n${script}`;

/** Runs the script on stdin (ssh/bundle.ts) as root. */
export const remoteCommand = (action: "join" | "inspect" | "impact" | "glance") => rootShell([action]);

/** Shows the last so many lines of a host's logs, by the script on stdin (cli/logs.ts). */
export const logsCommand = (lines: number) => rootShell([String(lines)]);

/** With hostScript on stdin, the first command. If one can't become root there, it says what is missing. */
export function accessCommand(name: string): string {
  const hint = `${name}: IVM602 $(id -un) cannot become root: let $(id -un) run sudo without a password (README, What it needs on a host)`;
  return rootShell(["access", name], `echo "${hint}" >&2`);
}

/** With hostScript on stdin, the last one. */
export const leaveCommand = () => rootShell(["leave"]);

/** Prints an id of the machine: it must differ from that of a clone, which may have kept its machine-id. */
const MACHINE = "machine $(cat /etc/machine-id /sys/class/dmi/id/product_uuid 2>/dev/null | sha256sum | cut -c 1-16)";

/** With LOOK_SCRIPT on stdin: tells which machine it is, who has joined it under which name, and by what it proves that. */
export const lookCommand = () => rootShell(["look"]);

export const LOOK_SCRIPT = `${PROLOGUE}echo "${MACHINE}"
if [ -d ${HOME}/record ]; then
  echo "owner $(cat ${HOME}/record/owner)"
  echo "epoch $(date +%s)"
  certificate() { [ -L "$2" ] || [ ! -s "$2" ] || echo "$1 $(base64 -w0 "$2")"; }
  certificate cert-chain /etc/certs/cert-chain.pem
  certificate root-cert /etc/certs/root-cert.pem
  certificate sent-chain ${SENT_IDENTITY}/cert-chain.pem
  certificate lists ${LISTS_FILE}
fi
sed -n 's/^host /name /p' ${HOME}/joining ${HOME}/state 2>/dev/null | head -n 1
exit
`;

/**
 * What the first and the last session on a host run: the one shows that one can log in and become root, the other gives
 * the host back by the scripts that join left there, which know what they recorded.
 */
export function hostScript(name: string, owner: string): string {
  return withState(
    `host ${name}\nowner ${owner}`,
    `${PROLOGUE}case $1 in
access)
  . /etc/os-release
  echo "${name}: access   ok: root on $PRETTY_NAME, ${MACHINE}"
  ;;
leave)
  [ ! -x ${INSTALLED} ] || exec ${INSTALLED} leave "$state" </dev/null
  if [ -e ${HOME}/record ] || [ -e ${HOME}/state ] || grep -q '^# BEGIN istio-vm ' /etc/hosts; then
    echo "${name}: it is joined, but the scripts that give it back are gone from ${HOME}/bin: pulumi up brings them again" >&2
    exit 3
  fi
  rm -rf ${HOME} # of a join that was refused or cut off before it began
  echo "${name}: left     it was not joined: nothing to undo"
  ;;
esac
exit
`,
  );
}

/** The digest by which a session says which state it means (host/commit.sh). */
export function stateDigest(state: string): string {
  return sha256(`${state}\n`);
}

/**
 * Runs what stays with a join until it has ended.
 *
 * @param packages of which the host is brought the one that it takes, if it does not have it
 */
export const attendCommand = (digest: string, packages: Omit<HostPackage, "source">[] = []) =>
  rootShell([
    "attend",
    digest,
    ...packages.map(({ format, architecture, sha256 }) => `${format}/${architecture}/${sha256}`),
  ]);

/** With the sidecar package on stdin: puts it where the join looks for it. `folder` is that of what was brought. */
export function receiveCommand(folder: string): string {
  const script = `sh ${folder}/istio-vm`;
  return asRoot({ direct: `${script} receive -`, throughSudo: `${script} receive $input` }, ["receive"]);
}

/**
 * The command of a fresh session that says that it could be had after the change. Its answer is `confirmed` and the
 * digest, once the host runs with that state. The host compares its own clock with `now`.
 */
export function confirmCommand(digest: string, now: Date): string {
  return rootShell(["confirm", digest, String(Math.floor(now.getTime() / 1000))]);
}

export const CONFIRM_SCRIPT = `${PROLOGUE}exec ${INSTALLED} "$@" </dev/null
`;

/** The commands that a host's SSH server is given. */
import { sha256 } from "../mesh/hostState";
import { quote } from "../mesh/shell";

const HOME = "/var/lib/istio-vm";
const INSTALLED = `${HOME}/bin/istio-vm`;

/** A root shell that reads its script from stdin, with these words as its arguments. */
const rootShell = (...words: string[]) => ["sudo -n sh -s --", ...words].join(" ");

/**
 * Runs the bundle on stdin as root and tells it what to do. The SSH connection's own addresses go along, for sudo would
 * drop them and the port in use must never be intercepted.
 */
export function remoteCommand(action: "join" | "inspect" | "glance", state: string): string {
  return rootShell(action, quote(`\n${state}\n`), '"$SSH_CONNECTION"');
}

/**
 * What the first and the last session on a host run: the one shows that one can log in and become root, the other gives
 * the host back by the scripts that join left there, which know what they recorded.
 */
export const HOST_SCRIPT = `case $1 in
access)
  . /etc/os-release
  echo "$2: access   ok: root on $PRETTY_NAME"
  ;;
leave)
  name=$(printf '%s' "$2" | sed -n 's/^host //p')
  [ ! -x ${INSTALLED} ] || exec ${INSTALLED} "$@" </dev/null
  if [ -e ${HOME}/record ]; then
    echo "$name: the scripts that give it back are gone from ${HOME}/bin: pulumi up brings them again" >&2
    exit 3
  fi
  rm -rf ${HOME} /var/tmp/istio-sidecar-*.deb # of a join that was refused or cut off before it began
  echo "$name: left     it was not joined: nothing to undo"
  ;;
esac
exit
`;

/** With HOST_SCRIPT on stdin, the first command. If one can't become root there, it says what is missing. */
export function accessCommand(name: string, user: string): string {
  const hint = `${name}: IVM602 ${user} can't become root: let ${user} run sudo without a password (README, "What it needs on a host")`;
  return `${rootShell("access", name)} || sh -c ${quote(`echo ${quote(hint)} >&2; exit 1`)}`;
}

/** With HOST_SCRIPT on stdin, the last one. */
export function leaveCommand(name: string, owner: string): string {
  return rootShell("leave", quote(`\nhost ${name}\nowner ${owner}\n`));
}

/** The digest by which a session says which state it means (host/lib.sh). */
export function stateDigest(state: string): string {
  return sha256(`${state}\n`);
}

/** Runs what stays with a join until it has ended. */
export const attendCommand = (digest: string) => rootShell("attend", digest);

/**
 * The command of a fresh session that says that it could be had after the change. It succeeds only once the host runs
 * with that state. The host compares its own clock with `now`.
 */
export function confirmCommand(digest: string, now: Date): string {
  return `sudo -n ${INSTALLED} confirm ${digest} ${Math.floor(now.getTime() / 1000)}`;
}

/** The scripts of a host, and how they get there: on a root shell's stdin, so that nothing is in a command line. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { PROLOGUE, withState } from "./commands";

/** What runs on a host, name -> text: `istio-vm` is the entry, and stays there as /var/lib/istio-vm/bin/istio-vm. */
export function hostScripts(): Record<string, string> {
  const folder = join(__dirname, "..", "host");
  const files = readdirSync(folder).filter((file) => file === "istio-vm" || file.endsWith(".sh"));
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

/** Files (name -> content) as a shell text that writes them into the folder `$dir`. */
export function renderFiles(files: Record<string, string>): string {
  const lines = Object.entries(files).flatMap(([name, content]) => {
    if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" can't be the name of a file in a bundle`);
    let end = "END_OF_FILE";
    while (content.split("\n").includes(end)) end += "_";
    return [`cat >"$dir/${name}" <<'${end}'`, content.replace(/\n$/, ""), end];
  });
  return [...lines, ""].join("\n");
}

/** Where everything is that a host has of us only until it is switched off; for root alone. */
const RUN = "/run/istio-vm";

/** Says that somebody is there for what is in `$dir`. */
const LOCK = `exec 7<"$dir"
if command -v flock >/dev/null; then flock 7; fi
`;

/**
 * A shell script that unpacks such files into a fresh folder in memory that only root can read, and does `work` there:
 * shell text with the folder as `$dir`. A lock on the folder says that somebody is there. It is removed in the end,
 * unless a join has taken it over (host/attend.sh).
 *
 * @param files what renderFiles made
 */
function renderBundle(files: string, work: string): string {
  const packed = gzipSync(files, { level: 9 }).toString("base64");
  return `${PROLOGUE}set -eu
umask 077
job=
unlocked() { { command exec 6<"$1"; } 2>/dev/null && flock -n 6; }
finish() {
  [ -z "$job" ] || kill "$job" 2>/dev/null || :
  mv "$dir/for" "$dir/dropped" 2>/dev/null || : # from now on no join can take it over
  # A join that has taken it over, and is there still, has a lock on that.
  if [ ! -e "$dir/taken" ] || unlocked "$dir/taken"; then rm -rf "$dir"; fi
  # Only if nobody is at work: the folder is the lock (host/lib.sh).
  if unlocked ${RUN} && [ ${RUN} -ef /proc/self/fd/6 ]; then rmdir ${RUN} 2>/dev/null || :; fi
}
make_folder() {
  mkdir -m 0700 ${RUN} 2>/dev/null || : # it is there; or somebody else removes it just now
  mktemp -d ${RUN}/bundle.XXXXXX
}
tries=0
until dir=$(make_folder 2>/dev/null); do
  tries=$((tries + 1))
  if [ "$tries" -ge 20 ]; then
    make_folder
    exit 3
  fi
done
trap finish EXIT
trap '' HUP
trap 'exit 130' INT TERM
${LOCK}base64 -d <<'END' | gzip -d >"$dir/files"
${packed.replace(/.{1,76}/g, "$&\n")}END
. "$dir/files"
rm "$dir/files"
${work}`;
}

/**
 * The rest of a script that stays: the shell reads on, though nothing comes, until the session ends. 7 is the lock, which
 * must end with it.
 */
const STAY = `sh "$dir/istio-vm" "$@" </dev/null 7<&- &
job=$!
`;

/** What runs `istio-vm` of these files there, with the action of the command, and this state. */
export function bundleScript(files: string, state: string): string {
  return renderBundle(
    files,
    `${withState(state, 'action=$1 && shift\nsh "$dir/istio-vm" "$action" "$state" "$*" </dev/null')}\nexit\n`,
  );
}

/** What brings these files to a join, and stays with it. Its arguments are those of `istio-vm attend`. */
export const attendScript = (files: string) => renderBundle(files, STAY);

/** Finds the folder again that a running join has taken over, and stays with that join; \`over\` if there is none. */
export const REJOIN_SCRIPT = `${PROLOGUE}dir=
for each in ${RUN}/bundle.*; do
  [ "$(cat "$each/taken" 2>/dev/null)" != "$2" ] || dir=$each
done
if [ -z "$dir" ]; then
  echo over
  exit
fi
${LOCK}trap 'kill "$job" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
${STAY}`;

/** What a join's own session runs: it takes over the folder that was brought for its state, and runs the scripts in it. */
export function joinScript(state: string): string {
  return withState(
    state,
    `${PROLOGUE}shift
digest=$(printf '%s' "$state" | sed '/^$/d' | sha256sum | cut -d ' ' -f 1)
lock_it() { ! command -v flock >/dev/null || flock -n 8; }
for dir in ${RUN}/bundle.*; do
  # Locked before it is taken over: from then on nobody else may clear it away.
  if [ "$(cat "$dir/for" 2>/dev/null)" = "$digest" ] && { command exec 8<"$dir/for"; } 2>/dev/null && lock_it &&
    mv "$dir/for" "$dir/taken" 2>/dev/null; then
    exec sh "$dir/istio-vm" join "$state" "$*" </dev/null
  fi
done
name=$(printf '%s' "$state" | sed -n 's/^host //p')
echo "$name: the scripts for this join are not here: run pulumi up again" >&2
exit 3
`,
  );
}

/** The scripts of a host, and how they get there: on a root shell's stdin, so that nothing is in a command line. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

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

/**
 * A shell script that unpacks such files into a fresh folder in memory that only root can read, runs
 * `<folder>/istio-vm <arguments>` there, and removes it, unless a join has taken it over (host/attend.sh). A lock on
 * the folder says that it is in use.
 *
 * @param files what renderFiles made
 */
export function renderBundle(files: string): string {
  const packed = gzipSync(files, { level: 9 }).toString("base64");
  return `set -eu
umask 077
dir=$(mktemp -d /run/istio-vm.XXXXXX)
trap '[ -e "$dir/taken" ] || rm -rf "$dir"' EXIT
trap '' HUP
trap 'exit 130' INT TERM
exec 7<"$dir"
if command -v flock >/dev/null; then flock 7; fi
base64 -d <<'END' | gzip -d >"$dir/files"
${packed.replace(/.{1,76}/g, "$&\n")}END
. "$dir/files"
rm "$dir/files"
# Read to the end before the script runs: nothing but the end of the session is to come on its stdin.
{ sh "$dir/istio-vm" "$@"; exit; }
`;
}

/**
 * What a join's own session runs: it takes over the folder that was brought for its state, and runs the scripts in it.
 * Its arguments are those of `istio-vm join`.
 */
export const JOIN_SCRIPT = `set -eu
state=$(printf '%s' "$2" | sed '/^$/d')
digest=$(printf '%s\\n' "$state" | sha256sum | cut -d ' ' -f 1)
for dir in /run/istio-vm.??????; do
  if [ "$(cat "$dir/for" 2>/dev/null)" = "$digest" ] && mv "$dir/for" "$dir/taken" 2>/dev/null; then
    trap 'rm -rf "$dir"' EXIT
    trap '' HUP
    trap 'exit 130' INT TERM
    sh "$dir/istio-vm" "$@" </dev/null
    exit
  fi
done
name=$(printf '%s' "$state" | sed -n 's/^host //p')
echo "$name: the scripts for this join are not here: run pulumi up again" >&2
exit 3
`;

/** Finds the folder again that a running join has taken over, and stays with that join; \`over\` if there is none. */
export const REJOIN_SCRIPT = `for dir in /run/istio-vm.??????; do
  [ "$(cat "$dir/taken" 2>/dev/null)" = "$2" ] || continue
  exec 7<"$dir"
  if command -v flock >/dev/null; then flock 7; fi
  { sh "$dir/istio-vm" "$1" "$2"; exit; }
done
echo over
`;

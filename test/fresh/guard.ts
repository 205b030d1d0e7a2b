/** What this machine lends, and gets back. */
import { dirname } from "node:path";
import { withHolder } from "../../lab/lock";
import { folder } from "../../lab/paths";

// The process that does it outlives this one, however that ends, and only by the moment that it takes.
const script = `
  before=$(sysctl -n vm.max_map_count)
  [ "$before" -ge 1048576 ] || sysctl -q -w vm.max_map_count=1048576
  rm -rf "$1"
  mkdir -p "$1"
  echo ready
  cat >/dev/null
  sysctl -q -w "vm.max_map_count=$before"
  rm -rf "$1"`;

/**
 * Runs `work` with an empty folder, and with as many memory mappings allowed as user-mode Linux needs for busy
 * processes: each of their pages may be one. Both are taken back afterwards. Only one process at a time can do this.
 */
export function guarded<T>(home: string, work: () => Promise<T>): Promise<T> {
  const lock = `${folder(dirname(home))}/fresh.lock`;
  return withHolder(
    ["flock", "--nonblock", "--conflict-exit-code", "75", lock, "sh", "-euc", script, "guard", home],
    (status) => new Error(status === 75 ? "another test-fresh runs on this machine" : `can't prepare ${home}`),
    work,
  );
}

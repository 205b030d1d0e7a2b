/** Stopping the scripts on a host at any place, to do something to the host just then. Only the bundle's text is changed. */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { until } from "../../lab/run";
import type { Host, Session } from "./host";

/** While this file exists on a host, a paused script waits. */
const FILE = "/run/host-test.pause";

/**
 * A command that waits until the test lets it go on. When the same script meets it again it does not, nor do the scripts
 * that join leaves on the host, from which a timer may undo the change.
 */
export const PAUSE = `case $0:\${paused:-} in /run/istio-vm/*:) paused=1; : >${FILE}; while [ -e ${FILE} ]; do sleep 0.1; done ;; esac`;

/** The same in the scripts that join leaves on the host, for whoever runs them. */
export const PAUSE_LEFT = PAUSE.replace("/run/istio-vm/*:)", "/var/lib/istio-vm/*:)");

/** Takes that pause out of them again: another run of them would come to it as well. */
export const removePause = (host: Host) =>
  host.sh("[ ! -e /var/lib/istio-vm/bin ] || sed -i '/host-test[.]pause/d' /var/lib/istio-vm/bin/*");

/** Stops dpkg or rpm while it unpacks the package's largest file. */
const PAUSE_UNPACKING = `{
  until set -- /usr/local/bin/envoy.dpkg-new "/usr/local/bin/envoy;"* && { [ -e "$1" ] || [ -e "$2" ]; }; do :; done
  unpacking=$(pidof dpkg rpm)
  kill -STOP $unpacking
  ${PAUSE}
  kill -CONT $unpacking
} &`;

export const PLACES = ["start", "middle", "end"] as const;
export type Place = (typeof PLACES)[number];

/** The line of the scripts behind which a pause comes, by phase and place. */
const LINES = {
  check: { start: "check() {", middle: "  check_space", end: "  check" },
  record: { start: "record() {", middle: `  getent group istio-proxy >"$new/group" || :`, end: "  record" },
  install_package: { start: "install_package() {", middle: "  arm", end: "  install_package" },
  arm: {
    start: "arm() {",
    middle: `  rm -f "$CONFIRMED" "$HOME_DIR/awaiting"`,
    end: `  [ -z "$RESTART" ] || arm`,
  },
  write_files: {
    start: "write_files() {",
    middle: `  ! is_written "$3" || put "$(place "$2" "$3")"`,
    end: "  write_files",
  },
  stop_sidecar: {
    start: "stop_sidecar() {",
    middle: `  if { [ -e "$HOME_DIR/state" ] || had_sidecar; } && { ! ready || drain; }; then hold; fi`,
    end: `  [ -z "$RESTART" ] || stop_sidecar`,
  },
  start: { start: "start() {", middle: "  keep_rules_env", end: "  start" },
  await_confirmation: {
    start: "await_confirmation() {",
    middle: `  mv "$HOME_DIR/awaiting.new" "$HOME_DIR/awaiting"`,
    end: `  [ -z "$RESTART" ] || await_confirmation`,
  },
  // On the way out of the mesh: of a first join that fails, and by leave.
  undo: { start: "undo() {", middle: "  give_back_package", end: "  give_back_files" },
  leave: { start: "leave() {", middle: "  give_back_package", end: "  give_back_accounts" },
  commit: { start: "commit() {", middle: `  mv -f "$HOME_DIR/joining" "$HOME_DIR/state"`, end: "  commit" },
} satisfies Record<string, Record<Place, string>>;

export type Phase = keyof typeof LINES;
export const PHASES = Object.keys(LINES) as Phase[];

/** The bundle with a pause at the start of a phase of the join, in the middle of it, or right after it. */
export function withPause(bundle: string, phase: Phase, place: Place): string {
  const pause =
    phase === "install_package" && place === "middle" ? PAUSE_UNPACKING : phase === "leave" ? PAUSE_LEFT : PAUSE;
  return insertAfter(bundle, LINES[phase][place], pause);
}

/** @throws unless the bundle has that line once */
export function insertAfter(bundle: string, line: string, code: string): string {
  const lines = bundle.split("\n");
  const at = lines.flatMap((each, index) => (each === line ? [index] : []));
  assert.equal(at.length, 1, `the scripts should have this line once:\n${line}`);
  return [...lines.slice(0, at[0]! + 1), code, ...lines.slice(at[0]! + 1)].join("\n");
}

/** Waits until the scripts on a host have come to the pause. @throws with what a session said, if it ends before */
export const untilPaused = (host: Host, session?: Session) => untilCome(host, FILE, "to the pause", session);

/** Waits until the scripts on a host have made a file. @throws with what a session said, if it ends before */
export async function untilCome(host: Host, file: string, where: string, session?: Session): Promise<void> {
  let ended: string | undefined;
  void session?.done.then(({ output }) => (ended = output));
  await until(`${host.name} to come ${where}`, 60, () => ended !== undefined || existsSync(host.root + file));
  assert.equal(ended, undefined, `it ended before it came ${where}`);
}

/** Lets the scripts go on. */
export function resume(host: Host): void {
  rmSync(host.root + FILE, { force: true });
}

/** How many lines a function of the scripts has. */
export function linesOf(bundle: string, name: string): number {
  const [, body] = new RegExp(`^${name}\\(\\) \\{\\n([\\s\\S]*?)^\\}$`, "m").exec(bundle) ?? [];
  assert.ok(body, `the scripts have no function ${name}`);
  return body.trimEnd().split("\n").length;
}

/** The bundle with a pause in a function behind its line of that number, of one command each; 0 is its start. */
export function withPauseBehind(bundle: string, name: string, line: number): string {
  const lines = bundle.split("\n");
  const at = lines.indexOf(`${name}() {`) + 1 + line;
  return [...lines.slice(0, at), PAUSE, ...lines.slice(at)].join("\n");
}

import { rpmVm } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { becomesSame, type Snapshot } from "../../support/snapshot";
import { bootWithSmallDisk, FAULTS, type FaultName } from "../faults";
import { adopted, guideOf, joinByHand, snapshotBeside, untilReady } from "../handMade";
import type { Host, JoinSession } from "../host";
import type { HostName, Mesh } from "../mesh";
import { PHASES, PLACES, removePause, untilPaused, withPause, type Phase, type Place } from "../pauses";
import { FULL, THOROUGH, withTimes } from "../times";

/** Room for the system's own check and the package, and little more. */
const DISK_MEGABYTES = 900;

/** Of hosts that were joined by hand and are taken over, which need more room for what is theirs. */
const ADOPTED = process.env.ISTIO_VM_MATRIX_OF === "adopted";
const stateOf = ({ commands: { state } }: Host) => (ADOPTED ? adopted(state) : state);
const look = (host: Host) => (ADOPTED ? snapshotBeside(host) : host.snapshot());

interface Case {
  phase: Phase;
  place: Place;
  fault: FaultName;
  /** Default: whichever has time. */
  host?: HostName;
}

interface Result {
  /** Seconds of the join, or leave, after the fault. */
  join?: number;
  leave?: number;
  failure?: Error;
}

const ALL: Case[] = PHASES.flatMap((phase) =>
  PLACES.flatMap((place) => (Object.keys(FAULTS) as FaultName[]).map((fault) => ({ phase, place, fault }))),
);

/** Each phase once, with places and faults taking turns. */
const SOME: Case[] = PHASES.map((phase, index) => ({
  phase,
  place: PLACES[index % PLACES.length]!,
  fault: (Object.keys(FAULTS) as FaultName[])[index % 5]!,
}));

const title = ({ fault, place, phase, host }: Case) =>
  `${fault.padEnd(6)} ${place.padEnd(6)} of ${phase}${host ? ` on ${host}` : ""}`;

/** Of the host with rpm: where it is the package manager's. */
const OF_RPM: Case[] = [
  { phase: "install_package", place: "middle", fault: "kill", host: rpmVm },
  { phase: "install_package", place: "start", fault: "locked", host: rpmVm },
];

/** Each fault once: for a minute. */
const FEW: Case[] = [
  { phase: "install_package", place: "middle", fault: "full" },
  { phase: "write_files", place: "middle", fault: "kill" },
  { phase: "start", place: "middle", fault: "reboot" },
  { phase: "await_confirmation", place: "start", fault: "cut" },
  { phase: "undo", place: "middle", fault: "locked" },
  { phase: "leave", place: "middle", fault: "reboot" },
];

/** ISTIO_VM_MATRIX: "full", or a pattern for the titles of those that are wanted. */
const wanted = process.env.ISTIO_VM_MATRIX;
const matching = (all: Case[]) => all.filter((one) => new RegExp(wanted!).test(title(one)));
const cases = FULL ? ALL : wanted ? matching(ALL) : THOROUGH ? SOME : FEW;
// Nobody has written down how one joins a host with rpm by hand.
const ofRpm = ADOPTED ? [] : FULL || !wanted ? OF_RPM : matching(OF_RPM);

export function surviving(mesh: Mesh): void {
  describe(`a join that is cut off (${cases.length} of ${ALL.length} cases; all with ISTIO_VM_MATRIX=full)`, () => {
    const results = new Map<Case, Result>();

    before(function () {
      this.timeout(60_000);
      const waiting = [...cases];
      // vm3 has the small disk; the others do what need not fill it.
      const next = (isSmall: boolean, own: Case[] | undefined) => {
        if (own) return own.shift();
        const at = waiting.findIndex(({ fault }) => isSmall || fault !== "full");
        const preferred = isSmall ? waiting.findIndex(({ fault }) => fault === "full") : at;
        return at < 0 ? undefined : waiting.splice(preferred < 0 ? at : preferred, 1)[0];
      };
      const work = async (host: Host, isSmall: boolean, own?: Case[]) => {
        let before: Snapshot | undefined;
        for (let one = next(isSmall, own); one; one = next(isSmall, own)) {
          if (!before) {
            await (isSmall ? bootWithSmallDisk(host, DISK_MEGABYTES + (ADOPTED ? 700 : 0)) : host.reset());
            if (ADOPTED) {
              await joinByHand(host, guideOf(host, "certificates"));
              await host.sh("systemctl enable istio 2>&1");
            }
            before = await look(host);
          }
          const result = await survive(host, one, before);
          results.set(one, result);
          if (result.failure) before = undefined; // and a fresh machine for the next
        }
      };
      worker = Promise.all([
        work(mesh.host("vm1"), false),
        work(mesh.host("vm2"), false),
        work(mesh.host("vm3"), true),
        work(mesh.host(rpmVm), false, [...ofRpm]),
      ]);
      worker.catch(() => undefined);
    });
    let worker: Promise<unknown>;

    for (const one of [...cases, ...ofRpm]) {
      it(`${title(one)}: joins, and leaves, afterwards`, async function () {
        this.timeout(3_600_000);
        const result = await Promise.race([
          until("the case", 3600, () => results.get(one)),
          worker.then(() => results.get(one)!),
        ]);
        if (result.failure) throw result.failure;
      });
    }

    after(async () => {
      console.log(table(results));
      await mesh.host("vm3").reset();
    });
  });
}

/** Lets the fault happen twice: the first time join comes after it, the second time leave. */
async function survive(host: Host, one: Case, before: Snapshot): Promise<Result> {
  const result: Result = {};
  try {
    await suffer(host, one);
    result.join = (await host.mustJoin({ state: stateOf(host) })).seconds;
    await host.mustLeave();
    await assertGivenBack(host, before);
    await suffer(host, one);
    result.leave = (await host.mustLeave()).seconds;
    await assertGivenBack(host, before);
  } catch (error) {
    result.failure = error as Error;
  }
  return result;
}

async function assertGivenBack(host: Host, before: Snapshot): Promise<void> {
  if (ADOPTED) await untilReady(host);
  await becomesSame(before, () => look(host), host.name, 10);
}

/** What comes to the pause: a join; one that fails, on its way back; or leave, by the scripts that a join has left there. */
async function begin(host: Host, { phase, place }: Case): Promise<JoinSession> {
  const bundle = withPause(host.bundle, phase, place);
  if (phase === "undo") {
    const state = `${stateOf(host)}\nsidecar.env CA_ADDR=192.0.2.1:15012`;
    return host.startJoin({ state, bundle: withTimes(bundle, { ready: 10 }) });
  }
  if (phase !== "leave") return host.startJoin({ state: stateOf(host), bundle });
  await host.mustJoin({ state: stateOf(host), bundle });
  return { ...host.ssh(host.commands.leave, host.commands.script), stopConfirming: () => undefined };
}

async function suffer(host: Host, one: Case): Promise<void> {
  const { fault } = one;
  const session = await begin(host, one);
  try {
    await untilPaused(host, session);
    await FAULTS[fault](host, session);
    await removePause(host);
  } finally {
    session.stopConfirming();
  }
}

/** Seconds of the join and of the leave that came after the fault. */
function table(results: Map<Case, Result>): string {
  const rows = [["phase", "place", ...Object.keys(FAULTS)]];
  for (const phase of PHASES) {
    for (const place of PLACES) {
      const cells = Object.keys(FAULTS).map((fault) => {
        const [, result] =
          [...results].find(
            ([one]) => one.host === undefined && one.phase === phase && one.place === place && one.fault === fault,
          ) ?? [];
        if (!result) return "";
        return result.failure ? "FAILED" : `${result.join?.toFixed(1)} ${result.leave?.toFixed(1)}`;
      });
      if (cells.some(Boolean)) rows.push([phase, place, ...cells]);
    }
  }
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd([20, 8][column] ?? 12))
      .join("")
      .trimEnd();
  return `\n  after the fault, seconds of join and of leave:\n${rows.map((row) => `  ${line(row)}`).join("\n")}\n`;
}

/** A steady and bounded number of requests from several places, while something else goes on. */
import { kubectl } from "../e2e/mesh";
import { vmExec } from "../../lab/vm";
import type { Lab } from "../../lab/paths";

/** Of each place. */
const WORKERS = 2;
const PAUSE_SECONDS = 0.1;
/** A request that takes as long has failed. */
const TIMEOUT_SECONDS = 10;
/** The load ends by itself then, whatever becomes of the test. */
const LIMIT_SECONDS = 1200;
/** While this file exists there, the load goes on. */
const FILE = "/tmp/test.traffic";

/** From where something is asked. */
export interface Source {
  /** For the figures. */
  name: string;
  url: string;
  /** Runs a shell script there. */
  sh: (script: string) => Promise<string>;
}

export const fromPod = (name: string, url: string): Source => ({
  name,
  url,
  sh: (script) => kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", script),
});

export const fromVm = (lab: Lab, vm: string, name: string, url: string): Source => ({
  name,
  url,
  sh: (script) => vmExec(lab, vm, ["sh", "-c", script]),
});

/** What came of the requests of one place. */
export interface Traffic {
  name: string;
  made: number;
  /** The lines of those that failed: the epoch at which they began, and curl's status and error. */
  failed: string[];
}

/** Each worker asks one time after the other: a line `begin status error` each. */
const script = (url: string, file: string) => `: >${file}
end=$(($(date +%s) + ${LIMIT_SECONDS}))
worker() {
  while [ -e ${file} ] && [ $(date +%s) -lt $end ]; do
    begin=$(date +%s.%N)
    echo "$begin $(curl -s -o /dev/null -w '%{http_code} %{errormsg}' --max-time ${TIMEOUT_SECONDS} ${url})"
    sleep ${PAUSE_SECONDS}
  done
}
for i in $(seq ${WORKERS}); do worker & done
wait`;

/** Does `work` while all of them ask. @returns the figures of each */
export async function trafficDuring(sources: Source[], work: () => Promise<unknown>): Promise<Traffic[]> {
  const running = sources.map(({ sh, url }, n) => sh(script(url, `${FILE}.${n}`)));
  for (const each of running) each.catch(() => undefined); // awaited below, when the work is done
  try {
    await work();
  } finally {
    await Promise.all(sources.map(({ sh }, n) => sh(`rm -f ${FILE}.${n}`)));
  }
  return Promise.all(
    running.map(async (output, n) => {
      const lines = (await output).trim().split("\n");
      return { name: sources[n]!.name, made: lines.length, failed: lines.filter((line) => !/^\S+ 200\b/.test(line)) };
    }),
  );
}

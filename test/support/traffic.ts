/** A steady and bounded number of requests from several places, while something else goes on. */
import { kubectl } from "../e2e/mesh";
import { vmExec } from "../../lab/vm";
import type { Lab } from "../../lab/paths";

const PAUSE_SECONDS = 0.1;
/** A request that takes as long has failed. */
const TIMEOUT_SECONDS = 10;
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

/** A request as curl saw it. */
export interface Request {
  /** When it began, in seconds of the epoch. */
  begin: number;
  /** The HTTP status; 0 if there was no answer. */
  status: number;
  seconds: number;
  /** Why there was none. */
  error: string;
}

interface Bounds {
  /** Of each place. */
  workers: number;
  /** Seconds: the load ends by itself then, whatever becomes of the test. */
  limit: number;
}

/** Each worker asks one time after the other: a line `begin status seconds error` each. */
const script = (url: string, file: string, { workers, limit }: Bounds) => `: >${file}
end=$(($(date +%s) + ${limit}))
worker() {
  while [ -e ${file} ] && [ $(date +%s) -lt $end ]; do
    begin=$(date +%s.%N)
    echo "$begin $(curl -s -o /dev/null -w '%{http_code} %{time_total} %{errormsg}' --max-time ${TIMEOUT_SECONDS} ${url})"
    sleep ${PAUSE_SECONDS}
  done
}
for i in $(seq ${workers}); do worker & done
wait`;

function requestIn(line: string): Request {
  const [begin, status, seconds, ...words] = line.split(" ");
  return { begin: Number(begin), status: Number(status), seconds: Number(seconds), error: words.join(" ") };
}

/** Does `work` while all of them ask. @returns the requests of each, in the order of their beginning */
export async function requestsDuring(
  sources: Source[],
  work: () => Promise<unknown>,
  bounds: Bounds = { workers: 2, limit: 1200 },
): Promise<Request[][]> {
  const running = sources.map(({ sh, url }, n) => sh(script(url, `${FILE}.${n}`, bounds)));
  for (const each of running) each.catch(() => undefined); // awaited below, when the work is done
  try {
    await work();
  } finally {
    await Promise.all(sources.map(({ sh }, n) => sh(`rm -f ${FILE}.${n}`)));
  }
  return Promise.all(
    running.map(async (output) => {
      const requests = (await output).trim().split("\n").map(requestIn);
      return requests.sort((a, b) => a.begin - b.begin);
    }),
  );
}

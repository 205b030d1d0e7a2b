/** Requests from the sample pod to the service, a steady and bounded number of them, while something else goes on. */
import { kubectl, SERVICE_URL } from "../e2e/mesh";

const WORKERS = 4;
const PAUSE_SECONDS = 0.1;
/** A request that takes as long has failed. */
const TIMEOUT_SECONDS = 10;
/** The load ends by itself then, whatever becomes of the test. */
const LIMIT_SECONDS = 900;

/** While this file exists in the pod, the load goes on. */
const FILE = "/tmp/host-test.load";

/** Each worker sends one request after the other: a line `begin status seconds` each, the begin as an epoch. */
const SCRIPT = `: >${FILE}
end=$(($(date +%s) + ${LIMIT_SECONDS}))
worker() {
  while [ -e ${FILE} ] && [ $(date +%s) -lt $end ]; do
    begin=$(date +%s.%N)
    echo "$begin $(curl -s -o /dev/null -w '%{http_code} %{time_total}' --max-time ${TIMEOUT_SECONDS} ${SERVICE_URL})"
    sleep ${PAUSE_SECONDS}
  done
}
for i in $(seq ${WORKERS}); do worker & done
wait`;

const inPod = (script: string) => kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", script);

/** A request as curl saw it. */
export interface Request {
  /** When it began, in seconds of the epoch. */
  begin: number;
  /** The HTTP status; 0 if there was no answer. */
  status: number;
  seconds: number;
}

/** Does `work` under load, and returns all requests in the order of their beginning. */
export async function loadDuring(work: () => Promise<unknown>): Promise<Request[]> {
  const load = inPod(SCRIPT);
  load.catch(() => undefined); // awaited below, when the work is done
  try {
    await work();
  } finally {
    await inPod(`rm -f ${FILE}`);
  }
  const requests = (await load)
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number) as [number, number, number])
    .map(([begin, status, seconds]) => ({ begin, status, seconds }));
  return requests.sort((a, b) => a.begin - b.begin);
}

/** Look-ups of names on a host, a steady number of them, while something else goes on. */
import { until } from "../../lab/run";
import type { Host } from "./host";

const FILE = "/tmp/test.look-ups";

/** What gets no answer within a second is asked once more, as resolvers do; it counts as late then. */
const SCRIPT = `import os, socket, sys, time
name, file = sys.argv[1], sys.argv[2]
count, late, longest = 0, 0, 0
end = time.monotonic() + 240
while (count < 20 or os.path.exists(file)) and time.monotonic() < end:
    begun = time.monotonic()
    try:
        socket.getaddrinfo(name, None, socket.AF_INET)
    except OSError as error:
        print("failed", time.time(), error, flush=True)
    took = time.monotonic() - begun
    count, late, longest = count + 1, late + (took > 0.5), max(longest, took)
    if count == 10: open(file, "w").close()
    time.sleep(0.02)
print("asked", count, late, round(longest * 1000))`;

export interface LookUps {
  count: number;
  /** When, and why. */
  failed: string[];
  /** Asked a second time. */
  late: number;
  /** How long the longest took, in milliseconds. */
  longest: number;
}

/** Does `work` while the host looks a name up some 40 times a second. */
export async function lookUpDuring(host: Host, name: string, work: () => Promise<unknown>): Promise<LookUps> {
  const running = host.exec("env", "RES_OPTIONS=timeout:1 attempts:2", "python3", "-c", SCRIPT, name, FILE);
  running.catch(() => undefined); // awaited below
  try {
    await until("look-ups to go on", 10, () => host.sh(`ls ${FILE} 2>/dev/null || :`).then(Boolean));
    await work();
  } finally {
    await host.sh(`sleep 1; rm -f ${FILE}`);
  }
  const lines = (await running).trim().split("\n");
  const [count, late, longest] = (/^asked (\d+) (\d+) (\d+)$/.exec(lines.at(-1)!) ?? []).slice(1).map(Number);
  return { count: count!, late: late!, longest: longest!, failed: lines.slice(0, -1) };
}

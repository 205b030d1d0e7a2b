import { type Forecast, forecast } from "../diagnosis/forecast";
import { FORECAST_HEADINGS, forecastRows } from "../diagnosis/forecastRows";
import { kubectlFor } from "../tools/kubectl";
import { unavailable } from "./facts/answers";
import { readAuthority } from "./facts/cluster";
import { glanceAtHosts } from "./facts/hosts";
import { colours, exitCode } from "./output";
import type { Progress } from "./progress";
import type { ConfiguredStack } from "./stack";
import { markedTable } from "./table";

/** What ends in so many seconds, as cluster and hosts tell. */
export async function foresee(stack: ConfiguredStack, seconds: number, progress: Progress): Promise<Forecast> {
  const [hosts, authority] = await Promise.all([
    glanceAtHosts(stack, progress.count("hosts", stack.config.hosts.length)),
    readAuthority(stack.config, kubectlFor(stack.config.cluster)).catch(unavailable),
  ]);
  progress.end();
  const now = new Date();
  return forecast(stack, hosts, authority, now, new Date(now.getTime() + seconds * 1000));
}

/** What could not be read counts as a warning. */
export const forecastExit = ({ endings, unread }: Forecast, strict: boolean) =>
  exitCode(
    [...endings.map(({ health }) => ({ result: health })), ...unread.map(() => ({ result: "warning" }))],
    strict,
  );

/** What a person reads: a row for all that ends on a day in the same way, then what is worth a sentence. */
export function renderForecast(found: Forecast, paint = colours()): string {
  const { rows, notes } = forecastRows(found);
  const cells = rows.map((row) => row.cells);
  const parts = rows.length > 0 ? [markedTable(FORECAST_HEADINGS, cells, rows, paint)] : [];
  return [...parts, ...(notes.length > 0 ? [notes.join("\n")] : [])].join("\n\n");
}

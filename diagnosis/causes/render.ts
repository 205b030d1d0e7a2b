import { CAUSES } from "./index";
import type { Cause, Sign } from "./cause";

const SPEAKERS = {
  istiod: "istiod",
  agent: "the agent",
  Envoy: "Envoy",
  start: "the start script",
  pulumi: "`pulumi up`",
};

const code = (text: string) => `\`${text.replaceAll("`", "'")}\``;

/** The sentence as it would be, with what is read from the line in italics. */
const sentence = (text: string) =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => (name === "where" ? "_the host_" : `_${name}_`));

function renderSign({ from, pattern, sentence: text, fix }: Sign): string[] {
  return [
    `- ${sentence(text)}`,
    `  Said by ${from.map((speaker) => SPEAKERS[speaker]).join(", ")}: ${code(pattern.source)}`,
    ...(fix === undefined ? [] : [`  Fix: ${sentence(fix)}`]),
  ];
}

function renderCause({ code: heading, title, severity, signs, fix, follows }: Cause): string[] {
  return [
    `### ${heading}`,
    "",
    `**${title}** (${severity})`,
    "",
    ...signs.flatMap(renderSign),
    "",
    ...(signs.every((sign) => sign.fix !== undefined) ? [] : [`Fix: ${sentence(fix)}`, ""]),
    ...(follows === undefined ? [] : [`Not shown where it follows from ${follows.join(", ")}.`, ""]),
  ];
}

/** docs/causes.md. */
export function renderCauses(): string {
  return [
    "# Causes that `istio-vm explain` knows",
    "",
    "`npx istio-vm explain` reads the last lines of the logs of istiod and of every host, `explain -` a text on stdin, such as what a failed `pulumi up` printed, and names these causes. Made from the table in [`diagnosis/causes`](../diagnosis/causes) by `npm run docs`; don't edit.",
    "",
    "What Envoy says of requests is in its access log, which Istio writes only with `meshConfig.accessLogFile: /dev/stdout`. A cause is over, and no error any more, if the sidecar is in touch with istiod again since; one that istiod has no part in, if the sidecar was started anew since.",
    "",
    "`--output json` prints `version` (1), `at`, `read` (the places whose logs were read), `unread` (`where` and `problem`), `summary` (how many `error`, `warning`, `past`), and `findings`: `code`, `title`, `result` (`error`, `warning` or `past`), `where`, `lines` (how many show it), `first` and `last` (when they were written, if they say so), `message`, `fix`, `sample` (the last of these lines, without what looks like a key or a token) and `docs`. The exit code is 2 if there is an error or a log that can't be read, 1 with `--strict` if there is a warning, else 0.",
    "",
    ...Object.entries(CAUSES).flatMap(([group, causes]) => [
      `## ${group[0]!.toUpperCase()}${group.slice(1)}`,
      "",
      ...causes.flatMap(renderCause),
    ]),
  ]
    .join("\n")
    .trimEnd()
    .concat("\n");
}

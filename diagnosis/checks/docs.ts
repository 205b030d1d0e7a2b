import type { Check, Group } from "./check";
import { CHECKS } from "./index";

const INTRODUCTION = `# Checks of \`istio-vm doctor\`

Made from the table in [\`diagnosis/checks\`](../diagnosis/checks) by \`npm run docs\`; don't edit. \`pulumi up\` and the scripts on the hosts name the same codes where they find the same thing.

Each check is called by what is so when all is well, and ends in one of four ways:

- \`ok\`: it is so.
- \`warning\`: the mesh works, or will, but not as it should or not for long.
- \`error\`: \`pulumi up\` would fail, or the mesh does not work as it is.
- \`skipped\`: it can't be told, and why. What could not be asked has a finding of its own.

The exit code is 2 if there are errors, 1 with \`--strict\` if there are warnings, else 0.

\`--output json\` prints \`version\` (1), \`at\` (when), \`seconds\` (how long it took), \`summary\` (how many checks ended in which way) and \`findings\`: of each the \`code\`, \`group\`, \`title\`, \`result\` and \`message\` (one sentence), the \`subject\` (the host, service or namespace, if it is about one), the \`fix\` (of warnings and errors only) and \`docs\`, the place below.
`;

const HEADINGS: Record<Group, string> = {
  tools: "Tools on this machine",
  configuration: "Configuration",
  cluster: "Cluster",
  certificates: "Certificates",
  clock: "Clocks",
  network: "Network",
  hosts: "Hosts",
};

/** A text with what Markdown would take for markup, but for `code`, escaped. */
const plain = (text: string) =>
  text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith("`") ? part : part.replace(/[<*]/g, "\\$&")))
    .join("");

const renderCheck = ({ code, title, why, fix }: Check) => `### ${code}

**${plain(title)}**. ${plain(why)}

Fix: ${plain(fix)}
`;

/** docs/checks.md: every check, with an anchor such as `#ivm101` for each. */
export function renderChecks(): string {
  const groups = Object.entries(CHECKS) as [Group, Check[]][];
  const sections = groups.flatMap(([group, checks]) => [`## ${HEADINGS[group]}\n`, ...checks.map(renderCheck)]);
  return [INTRODUCTION, ...sections].join("\n");
}

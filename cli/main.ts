/** The command line: before and after an update. It reads the stack and keeps no state of its own. */
import { Command, InvalidArgumentError, Option } from "commander";
import { doctor } from "./doctor";
import { explain } from "./explain";
import { graph } from "./graph";
import { impact } from "./impact";
import { logs } from "./logs";
import { rotate } from "./rotate";
import { status } from "./status";
import { secondsOf } from "./span";
import { project } from "./stack";
import { type ClusterAccess, kubectlFor } from "../tools/kubectl";
import { awaitWithdrawal } from "../tools/withdrawal";
import { print } from "./output";

/** The command itself went wrong: no better than an error that it found. */
const FAILED = 2;

const program = new Command("istio-vm")
  .description("What a mesh with virtual machines looks like, before and after pulumi up.")
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : FAILED));

const stack = () => new Option("-s, --stack <name>", "the stack (default: the one that is selected)");
const output = (...formats: string[]) =>
  new Option("-o, --output <format>", "how to print").choices(formats).default(formats[0]);

/** A whole number of lines. */
function lines(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("use a whole number of lines.");
  return Number(text);
}

/** A span of time, in seconds. */
function span(text: string): number {
  const seconds = secondsOf(text);
  if (seconds === undefined) throw new InvalidArgumentError("use a number and s, m, h or d, such as 90d.");
  return seconds;
}

/** Adds a command whose action gives the exit code. */
function command<Options>(
  name: string,
  description: string,
  action: (options: Options, args: string[]) => Promise<number>,
) {
  return program
    .command(name)
    .description(description)
    .addOption(stack())
    .action(async (...args: unknown[]) => {
      const command = args.pop() as Command;
      process.exitCode = await action(command.opts() as Options, command.args);
    });
}

command("doctor", "everything that would make pulumi up fail or the mesh misbehave; changes nothing", doctor)
  .addOption(output("text", "json"))
  .option("--strict", "exit with 1 if there are warnings", false);

command("status", "what runs now: one line a host, one line a service", status)
  .addOption(output("text", "json"))
  .option("--strict", "exit with 1 if there are warnings", false)
  .option("-w, --watch", "look again every other second, until Ctrl-C", false)
  .addOption(
    new Option("--forecast [span]", "instead, what ends when, what renews it and who would miss that: 90d, 12h")
      .preset("90d")
      .argParser(span)
      .conflicts("watch"),
  );

command("impact", "what would change for the traffic of hosts, as it is now, if they joined; changes nothing", impact)
  .argument("[host]", "the name of a host (default: all)")
  .addOption(output("text", "json"));

command("explain", "known causes of what the logs of istiod and of every host tell of, and their fixes", explain)
  .argument("[-]", "read the logs from stdin")
  .addOption(output("text", "json"))
  .option("--strict", "exit with 1 if there are warnings", false)
  .option("-n, --lines <number>", "how many lines of each log to read", lines, 2000)
  .option("--since <span>", "leave out what is older: 90s, 30m, 2h, 7d");

command("logs", "the logs of a host's sidecar, or istiod's", logs)
  .argument("<host>", "the name of a host, or istiod")
  .option("-n, --lines <number>", "how many lines to begin with", lines, 100)
  .option("-f, --follow", "go on with what comes, until Ctrl-C", false);

command("rotate", "pulumi up, until another CA has taken the place of the mesh's (ca.root, ca.intermediate)", rotate);

command("graph", "the mesh as a Mermaid flowchart: who may talk to whom, with state", graph);

// Of `pulumi up` and `destroy` (tools/withdrawal.ts).
program
  .command("withdrawn", { hidden: true })
  .description("waits until nobody in the mesh is sent to a host any more")
  .argument("<host>")
  .argument("<address>")
  .argument("<identity>")
  .argument("<istiod-namespace...>")
  .option("--entry <namespace/name>")
  .option("--kubeconfig <path>")
  .option("--context <name>")
  .action(
    (
      host: string,
      address: string,
      identity: string,
      istiods: string[],
      { entry, ...access }: ClusterAccess & { entry?: string },
    ) => awaitWithdrawal({ host, address, identity, istiods, entry }, kubectlFor(access), print),
  );

process.chdir(project);
program.parseAsync().catch((error: Error) => {
  process.stderr.write(`istio-vm: ${error.message}\n`);
  process.exitCode = FAILED;
});

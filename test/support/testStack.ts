/** A stack of its own, of a copy of this project, driven by the real Pulumi engine. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa, type ExecaReturnValue } from "execa";
import { dump, load } from "js-yaml";
import { checkout } from "../../lab/paths";
import { patience } from "../../lab/run";

/** What makes up the program. */
const PROGRAM = [
  "Pulumi.yaml",
  "package.json",
  "tsconfig.json",
  "index.ts",
  "installation.ts",
  "hosts.ts",
  "config",
  "components",
  "mesh",
  "diagnosis",
  "tools",
  "ssh",
  "host",
  "cli",
];

const NAME = "e2e";
const PREFIX = "pulumi-istio-vm:";

/** The configuration of a stack, its keys without the project's name. Tests change copies of it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type StackConfig = Record<string, any>;

/** The spec of the IstioOperator of such a configuration. */
export const operatorSpecOf = (config: StackConfig) =>
  (config.controlPlane as { install: { operator: { spec: StackConfig } } }).install.operator.spec;

/** The same with another spec. */
export function withOperatorSpec(config: StackConfig, spec: StackConfig): StackConfig {
  const { install } = config.controlPlane as { install: object };
  return { ...config, controlPlane: { install: { ...install, operator: { spec } } } };
}

/** Pulumi.dev.yaml of this checkout, as of this lab. */
export const labConfig = () => stackFile("Pulumi.dev.yaml");

/** The configuration in a stack's file of this checkout, with the lab's folder in place of `.lab`. */
export function stackFile(path: string): StackConfig {
  const folder = process.env.ISTIO_VM_LAB;
  if (!folder) throw new Error("ISTIO_VM_LAB is not set: run this by `npx tsx lab/main.ts exec --`");
  const text = readFileSync(join(checkout, path), "utf8").replaceAll(".lab/", `${folder}/`);
  const { config } = load(text) as { config: StackConfig };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key.slice(PREFIX.length), value as unknown]));
}

/** How a command ended. */
export interface Outcome {
  exitCode: number;
  stdout: string;
  /** stdout and stderr. */
  output: string;
}

export class TestStack {
  /** A copy of the project; everything that this stack writes is in it. */
  readonly folder: string;
  /** All that Pulumi has said so far, by command. */
  readonly transcript: [command: string, output: string][] = [];
  private readonly backend: string;

  /**
   * @param main another program to run instead of index.ts: a file of this checkout, alone in its folder
   * @param folder of a stack that was kept; its program becomes the checkout's as it is now
   */
  constructor(main?: string, folder = mkdtempSync(join(tmpdir(), "istio-vm-e2e-"))) {
    this.folder = folder;
    this.backend = join(folder, ".backend");
    for (const path of [...PROGRAM, ...(main ? [dirname(main)] : [])]) {
      cpSync(join(checkout, path), join(this.folder, path), { recursive: true });
    }
    if (!existsSync(this.backend)) {
      symlinkSync(join(checkout, "node_modules"), join(this.folder, "node_modules"));
      mkdirSync(this.backend);
    }
    if (main) {
      // Pulumi runs what package.json calls the main file.
      const description = join(this.folder, "package.json");
      const content = JSON.parse(readFileSync(description, "utf8")) as object;
      writeFileSync(description, JSON.stringify({ ...content, main }));
    }
  }

  /** Makes the empty stack. */
  async init(config: StackConfig): Promise<void> {
    await this.succeed(["stack", "init", NAME]);
    this.configure(config);
  }

  /** Writes the stack's configuration. Secrets stay. */
  configure(config: StackConfig): void {
    const file = join(this.folder, `Pulumi.${NAME}.yaml`);
    const before = load(readFileSync(file, "utf8")) as { encryptionsalt?: string; config?: Record<string, object> };
    const secrets = Object.entries(before.config ?? {}).filter(([, value]) => Object.hasOwn(value, "secure"));
    const prefixed = Object.entries(config).map(([key, value]): [string, unknown] => [PREFIX + key, value]);
    writeFileSync(file, dump({ ...before, config: Object.fromEntries<unknown>([...secrets, ...prefixed]) }));
  }

  /** As the README says: on stdin, so that it is in no list of processes. */
  async setSecret(name: string, input: string): Promise<void> {
    const args = ["config", "set", "--secret", name, "--non-interactive"];
    await execa("pulumi", args, { cwd: this.folder, env: this.env, input });
  }

  /** The variables by which the Pulumi CLI finds this stack. */
  get env(): Record<string, string> {
    return { PULUMI_BACKEND_URL: `file://${this.backend}`, PULUMI_STACK: NAME };
  }

  private start(args: string[], env: Record<string, string> = {}) {
    return execa("pulumi", [...args, "--non-interactive"], {
      cwd: this.folder,
      env: { ...env, ...this.env },
      all: true,
      reject: false,
      timeout: 240_000 * patience,
      maxBuffer: 256 << 20,
    });
  }

  /** Begins what `pulumi` runs to its end: it can be listened to, and interrupted as by Ctrl-C. */
  begin(args: string[]) {
    const child = this.start(args);
    let said = "";
    child.all!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    return {
      interrupt: () => void child.kill("SIGINT"),
      untilSaid: (what: RegExp) =>
        new Promise<void>((resolve, reject) => {
          const hear = () => what.test(said) && resolve();
          child.all!.on("data", hear).on("end", () => {
            reject(new Error(`it ended, and did not say ${what.source}:\n${essence(said)}`));
          });
          hear();
        }),
      outcome: child.then((result) => this.note(args, result)),
    };
  }

  /** Runs pulumi on this stack; the outcome may be a failure. Kept out of the transcript: what shows secrets on purpose. */
  async pulumi(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
    return this.note(args, await this.start(args, env));
  }

  private note(args: string[], result: ExecaReturnValue): Outcome {
    const outcome = { exitCode: result.exitCode ?? -1, stdout: result.stdout, output: result.all ?? "" };
    if (!args.includes("--show-secrets")) this.transcript.push([`pulumi ${args.join(" ")}`, outcome.output]);
    return outcome;
  }

  /** Runs pulumi. @throws with all it said, if it fails */
  async succeed(args: string[], env?: Record<string, string>): Promise<Outcome> {
    const outcome = await this.pulumi(args, env);
    if (outcome.exitCode === 0) return outcome;
    throw new Error(`pulumi ${args.join(" ")} ended with status ${outcome.exitCode}:\n${essence(outcome.output)}`);
  }

  /** Runs pulumi, which must refuse. @throws if it succeeds */
  async fail(args: string[], env?: Record<string, string>): Promise<string> {
    const { exitCode, output } = await this.pulumi(args, env);
    if (exitCode !== 0) return output;
    throw new Error(`pulumi ${args.join(" ")} succeeded, but should have failed:\n${essence(output)}`);
  }

  /** Forgets everything. The stack's resources must be gone. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a person reads first when a command has failed: the diagnostics, or its last lines. */
export function essence(output: string): string {
  const [, diagnostics] = output.split(/^Diagnostics:$/m);
  const [progress = ""] = output.split(/^Outputs:$/m);
  return diagnostics ?? progress.split("\n").slice(-60).join("\n");
}

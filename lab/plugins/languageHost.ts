/**
 * The stand-in for pulumi-language-nodejs, which comes with the CLI's downloads only: runs Node programs for the CLI
 * (pulumirpc.LanguageRuntime). What it does not implement (project generation, debugging), it refuses.
 */
import { ChildProcess, spawn, SpawnOptions } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ServerWritableStream } from "@grpc/grpc-js";
import pulumiSdk from "@pulumi/pulumi/package.json";
import { ILanguageRuntimeServer, LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/language_pb";
import { PackageDependency, PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { NotImplemented, toGrpcError } from "./errors";
import { announce, listen, unary } from "./grpc";
import { installedPackages, manifest } from "./nodePackages";
import { fromStruct, Obj } from "./values";

/** cmd/run in the SDK exits with this after it has shown the error itself. */
const ERROR_SHOWN = 32;

/** The engine's `host:port`: the CLI passes it as the last argument, and in the handshake. */
let engine = process.argv.at(-1) ?? "";
const children = new Set<ChildProcess>();

/** Starts Node, to end no later than this process. `exited` gives the exit code. */
function startNode(args: string[], options: SpawnOptions): { child: ChildProcess; exited: Promise<number> } {
  const child = spawn(process.execPath, args, options);
  children.add(child);
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { child, exited: exited.finally(() => children.delete(child)) };
}

const stopChildren = (): void => children.forEach((child) => void child.kill());

interface RuntimeOptions {
  typescript?: boolean;
  nodeargs?: string;
  tsconfig?: string;
}

/** Node's arguments and the environment for a program, from `runtime.options` of Pulumi.yaml. */
function runtimeOptions(info: proto.ProgramInfo): { nodeargs: string[]; env: NodeJS.ProcessEnv } {
  const {
    typescript = true,
    nodeargs = "",
    tsconfig,
    ...others
  } = fromStruct(info.getOptions()) as RuntimeOptions & Obj;
  const refused = Object.keys(others).filter((option) => option !== "packagemanager");
  if (refused.length > 0) {
    throw new NotImplemented(`the lab's language host does not implement runtime.options.${refused.join(", ")}`);
  }
  return {
    nodeargs: nodeargs.split(/\s+/).filter(Boolean),
    env: {
      ...process.env,
      ...(typescript === true ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
      ...(tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: tsconfig }),
    },
  };
}

/** The path of a module of the SDK that the program itself uses. */
const sdkModule = (directory: string, module: string): string =>
  createRequire(join(directory, "package.json")).resolve(`@pulumi/pulumi/${module}`);

async function run(request: proto.RunRequest): Promise<proto.RunResponse> {
  if (request.getAttachDebugger()) throw new NotImplemented("the lab's language host cannot attach a debugger");
  const info = request.getInfo()!;
  const { nodeargs, env } = runtimeOptions(info);
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: String(request.getParallel()),
  };
  const config = request
    .getConfigMap()
    .getEntryList()
    .map(([key, value]) => [key.replace(":", ":config:"), value]);
  const { exited } = startNode(
    [
      ...nodeargs,
      sdkModule(request.getPwd(), "cmd/run"),
      ...Object.entries(flags).flatMap(([flag, value]) => (value ? [`--${flag}`, value] : [])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint() || ".",
      ...request.getArgsList(),
    ],
    {
      cwd: request.getPwd(),
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...env,
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config)),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      },
    },
  );
  const code = await exited;
  const response = new proto.RunResponse();
  if (code === ERROR_SHOWN) return response.setBail(true);
  return code === 0 ? response : response.setError(`Program exited with non-zero exit code: ${code}`);
}

/** Runs a provider that is itself a Node program, such as a local component package. */
function runPlugin(call: ServerWritableStream<proto.RunPluginRequest, proto.RunPluginResponse>): void {
  const { request } = call;
  const directory = request.getInfo()!.getProgramDirectory();
  const variables = request.getEnvList().map((entry) => entry.split(/=(.*)/s, 2) as [string, string]);
  const { nodeargs, env } = runtimeOptions(request.getInfo()!);
  const { child, exited } = startNode(
    [...nodeargs, sdkModule(directory, "cmd/run-plugin"), directory, ...request.getArgsList()],
    { cwd: request.getPwd(), env: { ...env, ...Object.fromEntries(variables) }, stdio: ["ignore", "pipe", "pipe"] },
  );
  child.stdout!.on("data", (data: Buffer) => call.write(new proto.RunPluginResponse().setStdout(data)));
  child.stderr!.on("data", (data: Buffer) => call.write(new proto.RunPluginResponse().setStderr(data)));
  call.on("cancelled", () => child.kill());
  exited.then(
    (code) => {
      call.write(new proto.RunPluginResponse().setExitcode(code));
      call.end();
    },
    (error: unknown) => call.emit("error", toGrpcError(error)),
  );
}

function requiredPackages(request: proto.GetRequiredPackagesRequest): proto.GetRequiredPackagesResponse {
  const response = new proto.GetRequiredPackagesResponse();
  for (const { name, version, pulumi } of installedPackages(request.getInfo()!.getProgramDirectory())) {
    if (!pulumi?.resource) continue;
    const dependency = new PackageDependency().setKind("resource");
    dependency.setName(pulumi.name ?? name.replace(/^@pulumi\//, ""));
    dependency.setVersion(`v${(pulumi.version ?? version).replace(/^v/, "")}`);
    response.addPackages(dependency.setServer(pulumi.server ?? ""));
  }
  return response;
}

function programDependencies(request: proto.GetProgramDependenciesRequest): proto.GetProgramDependenciesResponse {
  if (request.getTransitivedependencies()) {
    throw new NotImplemented("the lab's language host lists direct dependencies only");
  }
  const directory = request.getInfo()!.getProgramDirectory();
  const direct = manifest(directory).dependencies ?? {};
  const response = new proto.GetProgramDependenciesResponse();
  for (const { name, version } of installedPackages(directory)) {
    if (name in direct) response.addDependencies(new proto.DependencyInfo().setName(name).setVersion(version));
  }
  return response;
}

const handlers: Partial<ILanguageRuntimeServer> = {
  handshake: unary((request: proto.LanguageHandshakeRequest) => {
    engine = request.getEngineAddress();
    return new proto.LanguageHandshakeResponse();
  }),
  getPluginInfo: unary(() => new PluginInfo().setVersion(pulumiSdk.version)),
  getRequiredPackages: unary(requiredPackages),
  getProgramDependencies: unary(programDependencies),
  about: unary(() => new proto.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  runtimeOptionsPrompts: unary(() => new proto.RuntimeOptionsResponse()),
  installDependencies: (call) =>
    void call.emit("error", toGrpcError(new NotImplemented("run `npm ci`: the lab's language host installs nothing"))),
  run: unary(run),
  runPlugin,
  cancel: unary(() => {
    stopChildren();
    return new Empty();
  }),
};

void listen(LanguageRuntimeService, handlers).then(({ port, server }) =>
  announce(port, () => {
    stopChildren();
    server.forceShutdown();
  }),
);

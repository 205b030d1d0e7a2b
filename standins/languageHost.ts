/**
 * The stand-in for pulumi-language-nodejs, which comes with the CLI's downloads only: runs Node programs for the CLI
 * (pulumirpc.LanguageRuntime). What it does not implement (runtime options, plugins in Node, project generation,
 * debugging), it refuses.
 */
import { ChildProcess, spawn, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import pulumiSdk from "@pulumi/pulumi/package.json";
import { ILanguageRuntimeServer, LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/language_pb";
import { PackageDependency, PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { NotImplemented } from "./errors";
import { announce, listen, unary } from "./grpc";
import { installedPackages } from "./nodePackages";
import { fromStruct } from "./values";

/** cmd/run in the SDK exits with this after it has shown the error itself. */
const ERROR_SHOWN = 32;

/** The engine's `host:port`: the CLI passes it as the last argument, and in the handshake. */
let engine = process.argv.at(-1) ?? "";
const children = new Set<ChildProcess>();

/** Runs Node, to end no later than this process, and gives its exit code. */
async function runNode(args: string[], options: SpawnOptions): Promise<number> {
  const child = spawn(process.execPath, args, options);
  children.add(child);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    children.delete(child);
  }
}

const stopChildren = (): void => children.forEach((child) => void child.kill());

async function run(request: proto.RunRequest): Promise<proto.RunResponse> {
  if (request.getAttachDebugger()) throw new NotImplemented("the stand-in language host can't attach a debugger");
  const info = request.getInfo()!;
  const options = Object.keys(fromStruct(info.getOptions()));
  if (options.length > 0) {
    throw new NotImplemented(`the stand-in language host knows no runtime.options: ${options.join(", ")}`);
  }
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
  const code = await runNode(
    [
      // Of the SDK that the program itself uses.
      createRequire(join(request.getPwd(), "package.json")).resolve("@pulumi/pulumi/cmd/run"),
      ...Object.entries(flags).flatMap(([flag, value]) => (value ? [`--${flag}`, value] : [])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint() || ".",
      ...request.getArgsList(),
    ],
    {
      cwd: request.getPwd(),
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PULUMI_NODEJS_TYPESCRIPT: "true",
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config)),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      },
    },
  );
  const response = new proto.RunResponse();
  if (code === ERROR_SHOWN) return response.setBail(true);
  return code === 0 ? response : response.setError(`Program exited with non-zero exit code: ${code}`);
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

const handlers: Partial<ILanguageRuntimeServer> = {
  handshake: unary((request: proto.LanguageHandshakeRequest) => {
    engine = request.getEngineAddress();
    return new proto.LanguageHandshakeResponse();
  }),
  getPluginInfo: unary(() => new PluginInfo().setVersion(pulumiSdk.version)),
  getRequiredPackages: unary(requiredPackages),
  about: unary(() => new proto.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  runtimeOptionsPrompts: unary(() => new proto.RuntimeOptionsResponse()),
  run: unary(run),
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

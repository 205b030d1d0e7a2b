/** The sidecar package for VMs, laid out as Istio's own. */
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { BuildContext, Recipe } from "../artifacts";
import { folder, labFolder } from "../paths";
import { run, type Log } from "../run";
import { EARLIER, earlierIstio, envoy, istio, RELEASE, type Release } from "./istio";

/** Lays out what the package of a release has, in a folder. */
function layOut(tree: string, artifact: BuildContext["artifact"], ofRelease: Recipe): void {
  const install = (from: string, to: string, mode: number) => {
    copyFileSync(from, join(folder(tree, to, ".."), to.split("/").at(-1)!));
    chmodSync(join(tree, to), mode);
  };
  const packaging = join(artifact(ofRelease), "packaging");
  install(join(artifact(envoy), "bin/envoy"), "usr/local/bin/envoy", 0o755);
  install(join(artifact(ofRelease), "bin/pilot-agent"), "usr/local/bin/pilot-agent", 0o755);
  install(join(packaging, "istio-start.sh"), "usr/local/bin/istio-start.sh", 0o755);
  install(join(packaging, "istio.service"), "lib/systemd/system/istio.service", 0o644);
  install(join(packaging, "sidecar.env"), "var/lib/istio/envoy/sidecar.env", 0o644);
  install(join(packaging, "envoy_bootstrap.json"), "var/lib/istio/envoy/envoy_bootstrap_tmpl.json", 0o644);
  install(join(packaging, "postinst.sh"), "DEBIAN/postinst", 0o755);
}

/** Served to the VMs: istio-sidecar.deb, and istio-sidecar-2.deb, the same content as a later version. */
export const sidecar: Recipe = {
  name: "sidecar",
  title: `sidecar package ${RELEASE.version} (deb)`,
  files: ["lab/recipes/sidecar.ts", "lab/sidecar.sha256"],
  needs: [istio, envoy],
  async build({ out, log, artifact }) {
    const tree = folder(out, "tree");
    layOut(tree, artifact, istio);
    await pack(tree, RELEASE, join(out, "istio-sidecar.deb"), log);
    await pack(tree, { ...RELEASE, version: `${RELEASE.version}+2` }, join(out, "istio-sidecar-2.deb"), log);
    rmSync(tree, { recursive: true });
    verify(out);
  },
};

/** Served as well: that of the earlier release, with the Envoy of this one. */
export const EARLIER_PACKAGE = "istio-sidecar-1.30.deb";
export const earlierSidecar: Recipe = {
  name: "sidecar-1.30",
  title: `sidecar package ${EARLIER.version} (deb)`,
  files: ["lab/recipes/sidecar.ts"],
  needs: [earlierIstio, envoy],
  async build({ out, log, artifact }) {
    const tree = folder(out, "tree");
    layOut(tree, artifact, earlierIstio);
    await pack(tree, EARLIER, join(out, EARLIER_PACKAGE), log);
    rmSync(tree, { recursive: true });
  },
};

/**
 * Packs the tree. Owners, times (that of Istio's commit) and modes are fixed, and there is no compression, whose output would depend on the
 * compressor's version: the package is the same on every machine.
 */
async function pack(tree: string, { version, committed }: Release, file: string, log: Log): Promise<void> {
  const date = Date.parse(committed) / 1000;
  const control = {
    Package: "istio-sidecar",
    Version: version,
    Architecture: "amd64",
    Maintainer: "pulumi-istio-vm lab <lab@localhost>",
    Depends: "iproute2, iptables, sudo, hostname",
    Description: "Istio sidecar, built by the lab",
  };
  const lines = Object.entries(control).map(([field, value]) => `${field}: ${value}\n`);
  writeFileSync(join(tree, "DEBIAN/control"), lines.join(""), { mode: 0o644 });
  await run(["find", tree, "-type", "d", "-exec", "chmod", "755", "{}", "+"], { log });
  await run(["find", tree, "-exec", "touch", `--date=@${date}`, "{}", "+"], { log });
  await run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, file], {
    log,
    env: { SOURCE_DATE_EPOCH: String(date) },
  });
}

/** Stack files name the packages' digests, so a package that comes out differently must not go unnoticed. */
function verify(out: string): void {
  const recorded = readFileSync(join(labFolder, "sidecar.sha256"), "utf8");
  const built = ["istio-sidecar.deb", "istio-sidecar-2.deb"]
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(out, name)))
          .digest("hex")}  ${name}\n`,
    )
    .join("");
  if (built !== recorded) {
    throw new Error(
      `the sidecar packages differ from those recorded in lab/sidecar.sha256. Built here:\n${built}` +
        "If what goes into them was changed on purpose, record these digests there and in Pulumi.dev.yaml; " +
        "if not, this machine builds them differently: please report it",
    );
  }
}

/** The sidecar package as an rpm, of the same files as the deb, laid out as Istio's own. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, labFolder } from "../paths";
import { run, type Log } from "../run";
import { RELEASE } from "./istio";
import { rpmRoot } from "./rpmRoot";
import { sidecar } from "./sidecar";

/** Served to the machine: istio-sidecar.rpm, and istio-sidecar-2.rpm, the same content as a later version. */
export const sidecarRpm: Recipe = {
  name: "sidecar-rpm",
  title: `sidecar package ${RELEASE.version} (rpm)`,
  files: ["lab/recipes/sidecarRpm.ts", "lab/sidecar-rpm.sha256"],
  needs: [rpmRoot, sidecar],
  async build({ out, log, artifact }) {
    const tree = folder(out, "tree");
    const deb = join(artifact(sidecar), "istio-sidecar.deb");
    await run(["dpkg-deb", "--raw-extract", deb, tree], { log });
    const script = readFileSync(join(tree, "DEBIAN/postinst"), "utf8");
    rmSync(join(tree, "DEBIAN"), { recursive: true });
    const versions = { "istio-sidecar.rpm": RELEASE.version, "istio-sidecar-2.rpm": `${RELEASE.version}+2` };
    for (const [name, version] of Object.entries(versions)) {
      await pack(artifact(rpmRoot), tree, specOf(version, script), join(out, name), log);
    }
    rmSync(tree, { recursive: true });
    verify(out, Object.keys(versions));
  },
};

/**
 * As Istio has it made (tools/packaging/packaging.mk): one package, its files and no folder, two of them configuration,
 * and its script with the deb's. But for bash, which its script needs, and which is /bin/sh where rpm is at home.
 */
const specOf = (version: string, script: string) => `
Name: istio-sidecar
# No hyphen may be in it.
Version: ${version.replaceAll("-", "")}
Release: 1
Summary: Istio Sidecar
License: Apache
Vendor: istio.io
URL: http://istio.io
Requires: iproute, iptables, sudo, hostname
AutoReqProv: no
%description
Istio Sidecar
%post -p /bin/bash
${script}
%files
%defattr(-,root,root,-)
/lib/systemd/system/istio.service
/usr/local/bin/envoy
/usr/local/bin/istio-start.sh
/usr/local/bin/pilot-agent
%config(noreplace) /var/lib/istio/envoy/envoy_bootstrap_tmpl.json
%config(noreplace) /var/lib/istio/envoy/sidecar.env
`;

/**
 * Packs the tree, by the machine's own rpmbuild. Host, times and owners are fixed, nothing is stripped, and there is no
 * compression, whose output would depend on the compressor's version: the package is the same on every machine.
 */
async function pack(root: string, tree: string, spec: string, file: string, log: Log): Promise<void> {
  const work = folder(tree, "..", "work");
  writeFileSync(join(work, "sidecar.spec"), spec);
  const date = statSync(join(tree, "usr/local/bin/envoy")).mtimeMs / 1000;
  mkdirSync(join(work, "root"));
  const defines = {
    _topdir: "/mnt/work",
    _dbpath: "/mnt/work/db",
    __os_install_post: "%{nil}",
    debug_package: "%{nil}",
    _build_id_links: "none",
    _binary_payload: "w.ufdio",
    _buildhost: "lab",
    use_source_date_epoch_as_buildtime: "1",
    clamp_mtime_to_source_date_epoch: "1",
  };
  const options = Object.entries(defines).map(([name, value]) => `--define '${name} ${value}'`);
  await run(
    [
      ...["bash", "-euc"],
      `mount --bind "$1/.." "$0/mnt"
      exec chroot "$0" bash -euc "cp -a /mnt/tree /mnt/work/buildroot
        SOURCE_DATE_EPOCH=${date} rpmbuild -bb --target x86_64 --noclean --buildroot /mnt/work/buildroot ${options.join(" ")} /mnt/work/sidecar.spec"`,
      ...[root, tree],
    ],
    { log, contained: true },
  );
  renameSync(join(work, "RPMS/x86_64", `istio-sidecar-${/Version: (\S+)/.exec(spec)![1]}-1.x86_64.rpm`), file);
  rmSync(work, { recursive: true });
}

/** As of the deb (lab/recipes/sidecar.ts): tests and stack files name them. */
function verify(out: string, names: string[]): void {
  const digestOf = (name: string) => createHash("sha256").update(readFileSync(join(out, name)));
  const built = names.map((name) => `${digestOf(name).digest("hex")}  ${name}\n`).join("");
  if (built === readFileSync(join(labFolder, "sidecar-rpm.sha256"), "utf8")) return;
  throw new Error(
    `the rpms differ from those recorded in lab/sidecar-rpm.sha256. Built here:\n${built}` +
      "If what goes into them was changed on purpose, record these digests; if not, this machine builds them differently",
  );
}

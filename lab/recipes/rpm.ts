/**
 * A machine whose package manager is rpm with dnf, and packages for it. Debian has both programs: it is the VMs' root
 * with them, and without dpkg and apt.
 */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, labFolder } from "../paths";
import { run, type Log } from "../run";
import { istioVersion } from "./istio";
import { vmRoot } from "./roots";
import { sidecar } from "./sidecar";

/** What the database of rpm has of what is there, for other packages to require: nothing of it came as an rpm. */


const BASE = `
Name: lab-base
Version: 12
Release: 1
Summary: What Debian brought
License: none
BuildArch: noarch
Provides: iproute, iptables, sudo, hostname, bash, /bin/bash, /bin/sh
%description
What Debian brought.
%files
`;

/** Where other distributions keep the database; Debian's rpm would have it in the user's home. */
const DATABASE = "%_dbpath /var/lib/rpm\n";

export const rpmRoot: Recipe = {
  name: "rpm-root",
  title: "root of the machine with rpm and dnf (Debian)",
  files: ["lab/recipes/rpm.ts"],
  needs: [vmRoot],
  async build({ out, log, artifact }) {
    await run(["cp", "--archive", `${artifact(vmRoot)}/.`, out], { log });
    cpSync("/etc/resolv.conf", join(out, "etc/resolv.conf"));
    writeFileSync(join(folder(out, "etc/rpm"), "macros.lab"), DATABASE);
    writeFileSync(join(out, "root/base.spec"), BASE);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const inside = (command: string) => run(["chroot", out, "bash", "-euc", command], { log, contained: true, env });
    await inside(`
      apt-get update
      apt-get install --yes --no-install-recommends rpm dnf
      rpmbuild --quiet -bb --define '_topdir /root/rpmbuild' /root/base.spec
      mkdir -p /var/lib/rpm
      rpm --upgrade /root/rpmbuild/RPMS/noarch/*.rpm
      rm -r /root/rpmbuild /root/base.spec
      systemctl disable dpkg-db-backup.timer dnf-makecache.timer 2>&1 || true
      find / -xdev '(' -path '*/dpkg' -o -path '*/apt' -o -path '*/bin/dpkg*' -o -path '*/bin/apt*' -o -path '*/sbin/dpkg*' \\
        -o -path '*/systemd/system/*apt-*' -o -path '*/systemd/system/*dpkg-*' -o -path '/etc/cron*/*' \\
        -o -path '/var/log/apt' -o -path '/usr/share/doc/*' -o -path '/usr/share/man/*' -o -path '/usr/share/locale/*' ')' \\
        -prune -exec rm -r {} +`);
  },
};

/** Served to the machine: istio-sidecar.rpm, and istio-sidecar-2.rpm, the same content as a later version. */
export const sidecarRpm: Recipe = {
  name: "sidecar-rpm",
  title: `sidecar package ${istioVersion} (rpm)`,
  files: ["lab/recipes/rpm.ts", "lab/sidecar-rpm.sha256"],
  needs: [rpmRoot, sidecar],
  async build({ out, log, artifact }) {
    const tree = folder(out, "tree");
    const deb = join(artifact(sidecar), "istio-sidecar.deb");
    await run(["dpkg-deb", "--raw-extract", deb, tree], { log });
    const script = readFileSync(join(tree, "DEBIAN/postinst"), "utf8");
    rmSync(join(tree, "DEBIAN"), { recursive: true });
    const versions = { "istio-sidecar.rpm": istioVersion, "istio-sidecar-2.rpm": `${istioVersion}+2` };
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
        SOURCE_DATE_EPOCH=${packageDate} rpmbuild -bb --target x86_64 --noclean --buildroot /mnt/work/buildroot ${options.join(" ")} /mnt/work/sidecar.spec"`,
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

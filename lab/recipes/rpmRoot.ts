/** A machine whose package manager is rpm with dnf. Debian has both: it is the VMs' root with them, without dpkg and apt. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder } from "../paths";
import { run } from "../run";
import { vmRoot } from "./roots";

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
  files: ["lab/recipes/rpmRoot.ts"],
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

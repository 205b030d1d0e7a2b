/** What tests do with a host's package manager, by its own commands. */
import { rpmVm } from "../../lab/paths";

export interface PackageTools {
  format: "deb" | "rpm";
  /** Prints `istio-sidecar`, a tab, and its version. */
  show: string;
  /** Installs a file, as a person does. */
  install: (file: string) => string;
  remove: string;
  /** The file on which whoever is at work has a lock. */
  lock: string;
  /** The line of the scripts to which a join comes that waits for it. */
  waiting: string;
}

const DEB: PackageTools = {
  format: "deb",
  show: "dpkg-query -W istio-sidecar",
  install: (file) => `DEBIAN_FRONTEND=noninteractive apt-get -q -y install ${file} >/dev/null 2>&1`,
  remove: "dpkg --purge istio-sidecar >/dev/null 2>&1",
  lock: "/var/lib/dpkg/lock-frontend",
  waiting: '    said=$("$@" 2>&1) || failed=yes',
};

const RPM: PackageTools = {
  format: "rpm",
  show: String.raw`rpm -q --queryformat '%{NAME}\t%{VERSION}\n' istio-sidecar`,
  install: (file) => `dnf -q -y --disablerepo='*' install ${file} >/dev/null 2>&1`,
  remove: "dnf -q -y --disablerepo='*' remove istio-sidecar >/dev/null 2>&1",
  lock: "/var/lib/rpm/.rpm.lock",
  waiting: "lock_holders() {",
};

export const packageToolsOf = (host: string): PackageTools => (host === rpmVm ? RPM : DEB);

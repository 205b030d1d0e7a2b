/** Debian roots: of the Kubernetes node, of the VMs, and of the container images. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { labFolder } from "../paths";
import { debianKeyring } from "../preflight";
import { run, type Log } from "../run";

const suite = "bookworm";

/** The root of the Kubernetes node. */
export const nodeRoot: Recipe = {
  name: "node-root",
  title: "root of the node (Debian)",
  files: ["lab/recipes/roots.ts"],
  build: ({ out, log }) =>
    debootstrap(out, log, [
      "containerd",
      "runc",
      "containernetworking-plugins",
      "conntrack",
      "iproute2",
      "iptables",
      "nftables",
      "procps",
    ]),
};

/** The root of a VM: an ordinary server with sshd, a user `admin` who may sudo, and an application. Nothing of Istio. */
export const vmRoot: Recipe = {
  name: "vm-root",
  title: "root of the VMs (Debian)",
  files: ["lab/recipes/roots.ts", "lab/vm/app.py", "lab/vm/app.service"],
  async build({ out, log }) {
    await debootstrap(out, log, [
      "systemd-sysv",
      "dbus",
      "openssh-server",
      "sudo",
      "curl",
      "iproute2",
      "iptables",
      "nftables",
      "procps",
      "python3",
    ]);
    const inside = (command: string) => run(["chroot", out, "bash", "-euc", command], { log, contained: true });
    await inside("useradd --create-home --uid 1000 --shell /bin/bash admin");
    writeFileSync(join(out, "etc/sudoers.d/admin"), "admin ALL=(ALL) NOPASSWD: ALL\n", { mode: 0o440 });
    writeFileSync(join(out, "etc/ssh/sshd_config.d/lab.conf"), "PermitRootLogin no\nPasswordAuthentication no\n");
    cpSync(join(labFolder, "vm", "app.py"), join(out, "usr/local/bin/app"));
    cpSync(join(labFolder, "vm", "app.service"), join(out, "etc/systemd/system/app.service"));
    await inside(`
      chmod 755 /usr/local/bin/app
      systemctl enable app ssh systemd-networkd
      systemctl disable systemd-timesyncd getty@tty1 e2scrub_reap 2>&1 || true
      systemctl mask systemd-networkd-wait-online apt-daily.timer apt-daily-upgrade.timer systemd-resolved
      # Each machine gets its own.
      rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id`);
  },
};

/** The common base of the container images, as layer.tar. */
export const imageBase: Recipe = {
  name: "image-base",
  title: "base of the container images (Debian)",
  files: ["lab/recipes/roots.ts"],
  async build({ out, log }) {
    const root = join(out, "root");
    mkdirSync(root);
    await debootstrap(root, log, ["ca-certificates", "curl", "iproute2", "iptables"]);
    await run(["chroot", root, "useradd", "--create-home", "--uid", "1337", "istio-proxy"], { log, contained: true });
    await run(["tar", "--sort=name", "--numeric-owner", "-C", root, "-cf", join(out, "layer.tar"), "."], { log });
    rmSync(root, { recursive: true });
  },
};

/** Debian's signatures are checked: without the keyring, debootstrap stops. */
async function debootstrap(root: string, log: Log, packages: string[]): Promise<void> {
  await run(
    [
      "debootstrap",
      "--force-check-gpg",
      `--keyring=${debianKeyring}`,
      "--variant=minbase",
      `--include=${packages.join(",")}`,
      suite,
      root,
      ...(await mirror()),
    ],
    {
      log,
      contained: true,
    },
  );
  const junk = ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"];
  for (const path of junk) rmSync(join(root, path), { recursive: true, force: true });
  // apt complains without these two.
  mkdirSync(join(root, "var/cache/apt/archives/partial"), { recursive: true });
  mkdirSync(join(root, "var/lib/apt/lists/partial"), { recursive: true });
}

/**
 * The Debian mirror of this machine's apt: it has all suites, so any of them will do. None on Ubuntu, and debootstrap
 * then takes Debian's own.
 */
async function mirror(): Promise<string[]> {
  const format = ["--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)"];
  const targets = await run(["apt-get", "indextargets", ...format, "Created-By: Packages"]);
  return /^Debian Debian main (\S+)$/m.exec(targets)?.slice(1) ?? [];
}

#!/usr/bin/env bash
# kernel.sh OUT: a user-mode Linux kernel OUT/linux, and its modules in OUT/lib/modules, from Debian's newest linux-source.
# Envoy's TCMalloc needs 48-bit addresses: 4-level page tables, which user-mode Linux has since 6.13, and so has no package.
set -euo pipefail
config=$(realpath "$(dirname "$0")")/kernel.config
out=$(realpath "$1")
suite=trixie-backports
work=$out/work
mkdir -p "$work/lists/partial"
cd "$work"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" "Created-By: Packages" | awk '$1 == "Debian" { print $2; exit }')
[ -n "$mirror" ] || { echo "apt on this machine has no mirror of Debian: add one, then try again" >&2; exit 1; }
echo "deb [signed-by=$keyring] $mirror $suite main" >sources.list
# An apt of its own: this machine's sources and lists stay as they are.
apt=(-qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update
source=$(apt-cache "${apt[@]}" depends linux-source | awk '/Depends:/ { print $2 }')
apt-get "${apt[@]}" download "$source"
dpkg-deb --fsys-tarfile "$source"_*.deb | tar -x --to-stdout "./usr/src/$source.tar.xz" | tar -xJ
cd "$source"

# kubelet reads the clock's rate, which the kernel of a real machine tells.
cpuinfo=arch/um/kernel/um_arch.c
sed -i 's|^\tseq_printf(m, "bogomips|\tseq_puts(m, "cpu MHz\\t\\t: 2000.000\\n");\n&|' $cpuinfo
grep -q 'cpu MHz' $cpuinfo
KCONFIG_ALLCONFIG=$config make -s ARCH=um alldefconfig
if missing=$(grep '^CONFIG' "$config" | grep -vxF -f .config); then
  echo "$source does not take these lines of $config:" "$missing" >&2
  exit 1
fi
nice -n 10 make -s "-j$(nproc)" ARCH=um linux modules
make -s ARCH=um "INSTALL_MOD_PATH=$out" modules_install
rm -f "$out"/lib/modules/*/{build,source}
cp linux "$out/linux"
cd "$out"
rm -r "$work"

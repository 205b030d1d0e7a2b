#!/usr/bin/env bash
# disk.sh SUITE OUT [KERNEL]: a stock Debian of that suite as OUT/root.img, with git, make and a way in: OUT/key.
# KERNEL is a folder with lib/modules of a kernel that is not on the disk; without it, Debian's own is installed, and
# is beside the disk as OUT/vmlinuz and OUT/initrd.
set -euo pipefail
suite=$1 out=$2 kernel=${3:-}
root=$out/root
packages=systemd-sysv,kmod,dbus,udev,openssh-server,iproute2,ca-certificates,make,git
[ -n "$kernel" ] || packages+=,linux-image-amd64

# This machine's mirror of Debian, where it has one.
mirror() { apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" "Created-By: Packages" | awk -v l="$1" '$1 == l { print $2; exit }'; }
sources=()
debian=$(mirror Debian) security=$(mirror Debian-Security)
if [ -n "$debian" ]; then
  sources=("deb $debian $suite main" "deb $debian $suite-updates main")
  [ -z "$security" ] || sources+=("deb $security $suite-security main")
fi
mmdebstrap --quiet --mode=root --format=directory --variant=important --include="$packages" \
  --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$root" "${sources[@]}"

echo stock >"$root/etc/hostname"
echo '127.0.0.1 localhost stock' >"$root/etc/hosts"
echo 'LABEL=root / ext4 defaults 0 1' >"$root/etc/fstab"
# The network of slirp, with QEMU as with slirp4netns.
printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/lan.network"
rm -f "$root/etc/resolv.conf"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
chroot "$root" systemctl --quiet enable systemd-networkd

ssh-keygen -q -t ed25519 -N '' -C fresh -f "$out/key"
install -D -m 600 "$out/key.pub" "$root/root/.ssh/authorized_keys"
chmod 700 "$root/root/.ssh"

if [ -n "$kernel" ]; then
  cp -a "$kernel/lib/modules" "$root/lib/"
else
  cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
  cp "$root"/boot/initrd.img-* "$out/initrd"
fi
mke2fs -q -t ext4 -L root -d "$root" "$out/root.img" 30G
rm -r "$root"

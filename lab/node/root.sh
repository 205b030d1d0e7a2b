#!/bin/bash
# The first process of the node, in fresh namespaces: makes the node's own root and moves into it.
# From node.ts: NODE, the node's folder in the lab's state; ROOT, the Debian root; BIN, Kubernetes' binaries; IMAGES; DUAL,
# not empty in a lab with IPv6 as well;
# from launch.ts: CGROUP, on cgroup v2 alone, the cgroup that is the node's to divide.
set -euo pipefail

# The cgroup that this is in when it makes a cgroup namespace is the root there. On cgroup v2 that can't be the one of
# `unshare`, which stays in it outside: the node's root must have no processes of its own, to divide what it has.
if [ "${1:-}" != inside ]; then
  if [ -n "$CGROUP" ]; then
    mkdir -p "$CGROUP/node/init"
    echo 0 >"$CGROUP/node/cgroup.procs"
  fi
  exec unshare --cgroup "$0" inside
fi
[ -z "$CGROUP" ] || echo 0 >"$CGROUP/node/init/cgroup.procs"

root=$NODE/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$NODE/upper,workdir=$NODE/work" "$root"

# An overlay can't be the upper layer of another, so what containers are made of lies beside it.
for name in containerd kubelet cni; do
  mkdir -p "$root/var/lib/$name"
  mount --bind "$NODE/var/$name" "$root/var/lib/$name"
done
mkdir -p "$root/lab" "$root/opt/bin" "$root/opt/images"
mount --bind "$NODE" "$root/lab"
mount --bind "$BIN" "$root/opt/bin"
mount --bind "$IMAGES" "$root/opt/images"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
if [ -n "$CGROUP" ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  sed 's/[^ ]\+/+&/g' "$root/sys/fs/cgroup/cgroup.controllers" >"$root/sys/fs/cgroup/cgroup.subtree_control"
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  # Every cgroup v1 hierarchy, from the node's own cgroup down.
  while IFS=: read -r _ names _; do
    [ -n "$names" ] || continue
    short=${names#name=}
    mkdir "$root/sys/fs/cgroup/$short"
    options=$names
    [ "$short" = "$names" ] || options=none,$names
    mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$short"
    # cpu,cpuacct in one hierarchy: each by its own name as well
    for name in ${short//,/ }; do
      [ "$name" = "$short" ] || ln -s "$short" "$root/sys/fs/cgroup/$name"
    done
  done </proc/self/cgroup
fi

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
for name in null zero full random urandom tty kmsg fuse; do
  [ -e "/dev/$name" ] || continue
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"

# kubelet sets these for the whole computer and fails if it can't: it gets files to write to instead.
mkdir "$root/run/sysctl"
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  name=${setting%=*}
  echo "${setting#*=}" >"$root/run/sysctl/${name//\//.}"
  mount --bind "$root/run/sysctl/${name//\//.}" "$root/proc/sys/$name"
done

mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
cd /
umount --lazy /.old
mount --make-rshared /
hostname lab-node
exec /lab/config/run.sh

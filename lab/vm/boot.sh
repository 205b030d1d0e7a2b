#!/bin/bash
# Runs a VM until it is shut down. From vm.ts: VM, its folder in the lab's state; ROOT, the Debian root; MACHINE, its
# name on this computer; NAME, its hostname; from launch.ts: CGROUP, on cgroup v2 alone, the cgroup that is the VM's to
# divide. Runs in the lab's network and in a mount namespace of its own, so that the mounts made here end with it.
set -euo pipefail

# systemd-nspawn keeps its books in /run: not in the computer's.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$VM/upper,workdir=$VM/work" "$VM/root"

boot() {
  if [ -n "$CGROUP" ]; then
    # systemd-nspawn divides the cgroup that it is in: nothing else may be there, and it can't be divided twice.
    local group=$CGROUP/boot-$BASHPID
    mkdir "$group" && echo 0 >"$group/cgroup.procs" || exit
  fi
  exec systemd-nspawn --quiet --boot --register=no --keep-unit --settings=no --resolv-conf=off --timezone=off \
    --link-journal=no --machine="$MACHINE" --hostname="$NAME" --directory="$VM/root" --network-bridge=br0
}

while :; do
  status=0
  (boot) || status=$?
  # 133: the machine wants to be booted again.
  [ $status = 133 ] || exit $status
done

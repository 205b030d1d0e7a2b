#!/bin/bash
# Runs a VM like lab/vm/boot.sh, on a small disk in memory: a copy of its own, which is gone when the VM is stopped.
# MEGABYTES is its size; the other variables are boot.sh's.
set -euo pipefail

mkdir -p "$VM/small"
mount -t tmpfs -o "mode=755,size=${MEGABYTES}m" tmpfs "$VM/small"
mkdir "$VM/small/root" "$VM/small/work"
cp -a "$VM/upper" "$VM/small/"
boot=$VM/boot.sh
VM=$VM/small exec "$boot"

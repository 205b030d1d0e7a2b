# The package as Debian and Ubuntu have it: the verbs of package.sh.
# shellcheck shell=sh

PACKAGE_FORMAT=deb
PACKAGE_SHOW='dpkg -l istio-sidecar'
PACKAGE_GET='apt-get install bash iproute2 iptables sudo hostname util-linux'
PACKAGE_SCRIPTS=/var/lib/dpkg/info
KEPT_PACKAGE=istio-sidecar.deb
PACKAGE_LEFTOVERS="/usr/local/bin/envoy.dpkg-new /usr/local/bin/pilot-agent.dpkg-new /usr/local/bin/istio-start.sh.dpkg-new
  /lib/systemd/system/istio.service.dpkg-new"

package_folders() { echo $PACKAGE_SCRIPTS; }

package_architecture() { dpkg --print-architecture 2>/dev/null || uname -m; }

# As dpkg calls it: installed, half-installed, ...
package_status() { dpkg-query -W -f='${db:Status-Status}' istio-sidecar 2>/dev/null || :; }

package_version() {
  dpkg-query -W -f='${db:Status-Status} ${Version}\n' istio-sidecar 2>/dev/null | sed -n 's/^installed //p'
}

package_put() { dpkg_install "$1" installed; }
package_restore() { dpkg_install "$1" "given back"; }

# Goes on where an installation was cut off. Not by apt-get, which takes more than twice the processor time for 130 MB.
dpkg_install() {
  local log
  log=$(patient_dpkg --install --force-downgrade "$1") || fail "the package istio-sidecar can't be $2: $log"
}

package_busy() { lock_holders /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend; }

patient_dpkg() { patient 'locked by another process' env DEBIAN_FRONTEND=noninteractive dpkg "$@"; }

package_keepable() { :; }

# Packs it again.
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

# The package as distributions with rpm have it: the verbs of package.sh. By rpm itself, which is the same everywhere: dnf
# and yum have verbs of their own for an older version and for the same one again, and look for a repository first. They
# are waited for like rpm.
# shellcheck shell=sh

PACKAGE_FORMAT=rpm
PACKAGE_SHOW='rpm -q istio-sidecar'
PACKAGE_GET='dnf install bash iproute iptables sudo hostname util-linux'
command -v dnf >/dev/null || PACKAGE_GET="yum ${PACKAGE_GET#dnf }"
PACKAGE_SCRIPTS='' # the shell reads them
KEPT_PACKAGE=istio-sidecar.rpm.tar
# What is being unpacked has a number behind its name, and stays where rpm was killed. Until the database has it all, its
# files are nobody's.
UNPACKED="/usr/local/bin/envoy;* /usr/local/bin/pilot-agent;* /usr/local/bin/istio-start.sh;*
  /lib/systemd/system/istio.service;* $ENV_DIR/envoy_bootstrap_tmpl.json;* $ENV_DIR/sidecar.env;*"
PACKAGE_LEFTOVERS="$UNPACKED $ENV_DIR/envoy_bootstrap_tmpl.json $ENV_DIR/envoy_bootstrap_tmpl.json.rpm* $ENV_DIR/sidecar.env.rpm*"

package_folders() { rpm --eval '%_dbpath %_tmppath' | tr ' ' '\n'; }

package_architecture() { rpm --eval %_arch; }

package_status() { ! rpm --query istio-sidecar >/dev/null 2>&1 || echo installed; }

# Of two, which an update leaves that was cut off, none is installed well.
package_version() {
  local versions
  versions=$(rpm --query --queryformat '%{EVR}\n' istio-sidecar 2>/dev/null) || return 0
  [ "$(printf '%s\n' "$versions" | wc -l)" -ne 1 ] || echo "$versions"
}

# Its own signature is not asked for: its digest is the configuration's. That a script of it failed is but a warning to rpm.
package_put() {
  local log
  log=$(patient_rpm rpm --upgrade --oldpackage --replacepkgs --nosignature "$1") ||
    fail "the package istio-sidecar can't be installed: $log"
  case $log in *'scriptlet failed'*) fail "the package istio-sidecar can't be installed: $log" ;; esac
  # shellcheck disable=SC2086 # paths without blanks
  rm -f $UNPACKED
}

# dnf and yum have files with the number of whoever is at work, rpm and dnf5 locks.
package_busy() {
  local file pid
  lock_holders "$(readlink -f "$(rpm --eval %_rpmlock_path)")" /run/dnf/rpmtransaction.lock
  for file in /var/lib/dnf/rpmdb_lock.pid /run/yum.pid; do
    pid=$(cat "$file" 2>/dev/null) && command_of "$pid" || : # or it was killed
  done
}

# Where others have the lock, rpm may wait for them or not, by its version. dnf and yum want more than one transaction.
patient_rpm() {
  await "$PACKAGE_SECONDS" package_free || { echo "another one is at work: $(package_busy)" && return 1; }
  patient 'transaction lock' "$@"
}

package_keepable() { [ "$(rpmdb --exportdb 2>/dev/null | od -An -tx1 -N 4 | tr -d ' ')" = 8eade801 ]; }

# Without rpmbuild it can't be packed again: its files are kept, and what the database has of it.
package_keep() {
  local tree file
  tree=$HOME_DIR/keeping
  rm -rf "$tree"
  mkdir "$tree"
  rpm_header "$tree"
  rpm --query --list istio-sidecar | while read -r file; do # of which somebody may have removed one
    if [ -e "$file" ] || [ -L "$file" ]; then echo "${file#/}"; fi
  done >"$tree/list"
  tar --numeric-owner -cpf "$1.new" -C "$tree" header -C / --no-recursion --files-from="$tree/list"
  mv "$1.new" "$1"
  rm -rf "$tree"
}

# `rpm_header FOLDER`: FOLDER/header, of all that rpmdb prints: each begins with the same four bytes, and they come in
# the order of rpm's own list. That it is the right one, and whole, a database of its own proves.
rpm_header() {
  local number begin end
  rpmdb --exportdb >"$1/all" || fail "rpm can't tell what its database has: rpmdb --exportdb"
  { grep -aboF "$(printf '\216\255\350\001')" "$1/all" | cut -d : -f 1 && stat -c %s "$1/all"; } >"$1/offsets"
  number=$(rpm --query --all --queryformat '%{NAME}\n' | grep -nx istio-sidecar | cut -d : -f 1)
  begin=$(sed -n "${number}p" "$1/offsets") end=$(sed -n "$((number + 1))p" "$1/offsets")
  tail -c "+$((begin + 1))" "$1/all" | head -c "$((end - begin))" >"$1/header"
  rm "$1/all"
  rpmdb --initdb --dbpath "$1/db" && rpmdb --importdb --dbpath "$1/db" <"$1/header" || :
  [ "$(rpm --query --all --dbpath "$1/db" --queryformat '%{NAME} %{EVR}\n')" = "istio-sidecar $(package_version)" ] ||
    fail "the istio-sidecar that is there can't be kept: rpmdb --exportdb does not print what rpm --query --all says"
}

# Its files and its line in the database, any of which may be there already. No script of it runs: what they did is there.
package_restore() {
  local kept log
  kept=$HOME_DIR/restoring
  rm -rf "$kept"
  mkdir "$kept"
  tar -tf "$1" >"$kept/list"
  tar -xpf "$1" -C "$kept" header
  { rpm --query --list istio-sidecar 2>/dev/null || :; } | sed 's,^/,,' | grep -vxFf "$kept/list" | sed 's,^,/,' |
    xargs -rd '\n' rm -f
  tar --numeric-owner -xpf "$1" -C / --exclude=header
  log=$(patient_rpm rpm_replace "$kept/header") || fail "the package istio-sidecar can't be given back: $log"
  # shellcheck disable=SC2086 # paths without blanks
  rm -rf "$kept" $UNPACKED
}

rpm_replace() {
  if [ -n "$(package_status)" ]; then
    rpm --erase --justdb --noscripts --nodeps --allmatches istio-sidecar || return 1
  fi
  rpmdb --importdb <"$1"
}

package_remove() { patient_rpm rpm --erase --nodeps --allmatches istio-sidecar; }

# Modes and owners are what its own script made of them.
package_altered() {
  local since
  if [ "${VERIFY:-}" = quick ]; then
    since=$(rpm --query --queryformat '%{INSTALLTIME}' istio-sidecar 2>/dev/null) || return 0
    rpm --query --list istio-sidecar |
      xargs -d '\n' sh -c 'find "$@" -maxdepth 0 -type f -newermt "$0"' "@$since" 2>/dev/null || :
  else
    rpm --verify --nodeps --noscripts --nomode --nouser --nogroup --nomtime istio-sidecar 2>/dev/null || :
  fi
}

# Phase 2 of join: what the host looked like before the first join, so that leave can give it back.
# shellcheck shell=sh

# What join changes. Directories that only hold changed files come without their content.
RECORDED_TREES="/etc/istio /var/lib/istio $CERTS/root-cert.pem $CERTS/cert-chain.pem $CERTS/key.pem
  /usr/local/bin/envoy /usr/local/bin/pilot-agent /usr/local/bin/istio-start.sh
  /lib/systemd/system/istio.service /etc/systemd/system/istio.service
  /etc/systemd/system/multi-user.target.wants/istio.service"
RECORDED_DIRS="$CERTS /usr/local /usr/local/bin /run/secrets /var/log/istio"
ACCOUNT_FILES="passwd group shadow gshadow subuid subgid"

record() {
  if [ -d "$RECORD" ]; then
    say record "ok: kept from the first join"
    return
  fi
  mkdir -p "$HOME_DIR"
  chmod 0700 "$HOME_DIR"
  new=$HOME_DIR/record.new
  rm -rf "$new"
  mkdir "$new"
  fact owner >"$new/owner"
  getent passwd istio-proxy >"$new/user" || :
  getent group istio-proxy >"$new/group" || :
  for tool in iptables-nft ip6tables-nft; do iptables_tables $tool >"$new/$tool"; done
  installed_version >"$new/package"
  [ ! -s "$new/package" ] || repack "$new/istio-sidecar.deb"
  cp -p /etc/hosts "$new/"
  for name in $ACCOUNT_FILES; do
    for file in "/etc/$name" "/etc/$name-"; do
      [ ! -e "$file" ] || cp -p "$file" "$new/"
    done
  done
  present=''
  for path in $RECORDED_TREES; do
    [ ! -e "$path" ] && [ ! -L "$path" ] || present="$present $path"
  done
  dirs=''
  for path in $RECORDED_DIRS; do
    [ ! -d "$path" ] || dirs="$dirs $path"
  done
  # shellcheck disable=SC2086 # paths without blanks
  tar -C / --absolute-names --numeric-owner --format=posix -cpf "$new/files.tar" $present --no-recursion $dirs
  sync "$new/files.tar"
  mv "$new" "$RECORD"
  say record "ok: $RECORD"
}

# `repack FILE`: the istio-sidecar package that is installed, as a .deb again, for join may replace it by another.
repack() {
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
    while read -r path; do [ -L "/$path" ] && [ -d "/$path" ] || echo "$path"; done |
    tar -C / --no-recursion --files-from=- -cpf - | tar -C "$tree" -xpf -
  dpkg-deb -Znone --build "$tree" "$1.new" >/dev/null
  mv "$1.new" "$1"
  rm -rf "$tree"
}

# `install_deb FILE WHAT`: one of ours, without asking any repository. WHAT can't be done to it, should that fail.
install_deb() {
  log=$(dpkg --install --force-downgrade "$1" 2>&1) || fail "the package istio-sidecar can't be $2: $log"
}

# The package that was there before the first join, or none.
restore_package() {
  if [ -s "$RECORD/package" ]; then
    if [ -e "$HOME_DIR/package" ] || [ "$(installed_version)" != "$(cat "$RECORD/package")" ]; then
      install_deb "$RECORD/istio-sidecar.deb" "given back"
    fi
    return
  fi
  [ -n "$(package_status)" ] || return 0
  log=$(purge_package 2>&1) || fail "the package istio-sidecar can't be removed: $log"
}

# Of an installation that failed, dpkg remembers the wish for it, until the package has been there and was removed: so an
# empty one comes in its place. (Changed selections would do, but dpkg then rewrites other packages' sections.)
purge_package() {
  if [ "$(package_status)" = not-installed ]; then
    tree=$HOME_DIR/empty
    mkdir -p "$tree/DEBIAN"
    printf '%s\n' 'Package: istio-sidecar' 'Version: 0' "Architecture: $(dpkg --print-architecture)" \
      'Maintainer: pulumi-istio-vm' 'Description: nothing' >"$tree/DEBIAN/control"
    dpkg-deb --build "$tree" "$tree.deb" && dpkg --unpack "$tree.deb" || return 1
  fi
  dpkg --purge --force-remove-reinstreq istio-sidecar
}

# Gives back every recorded file as it was, and removes those that were not there. What somebody else put into
# /etc/hosts or the certificates' folder meanwhile stays.
restore_files() {
  foreign_hosts | replace /etc/hosts "$(stat -c %a "$RECORD/hosts")" "$(stat -c %u:%g "$RECORD/hosts")" || :
  # But for a line break at its end, perhaps, which our block needed.
  if [ "$(cat "$RECORD/hosts")" = "$(cat /etc/hosts)" ]; then put_back "$RECORD/hosts" /etc/hosts; fi
  # shellcheck disable=SC2086 # paths without blanks
  rm -rf $RECORDED_TREES
  # What an installation that was killed leaves.
  rm -f /usr/local/bin/envoy.dpkg-new /usr/local/bin/pilot-agent.dpkg-new /usr/local/bin/istio-start.sh.dpkg-new \
    /lib/systemd/system/istio.service.dpkg-new
  recorded=$(tar -tPf "$RECORD/files.tar")
  for dir in /run/secrets /var/log/istio; do
    printf '%s\n' "$recorded" | grep -qx "$dir/" || rm -rf "$dir"
  done
  printf '%s\n' "$recorded" | grep -qx "$CERTS/" || rmdir "$CERTS" 2>/dev/null || [ ! -d "$CERTS" ] ||
    say leave "$CERTS stays: there are files in it that join did not bring"
  tar -C / --absolute-names --numeric-owner -xpf "$RECORD/files.tar"
}

# `put_back SAVED PATH`: by rename, for a full disk must not cost the host its /etc/passwd.
put_back() {
  if ! cp -p "$1" "$2.istio-vm"; then
    rm -f "$2.istio-vm"
    fail "can't write $2: is the disk full? What was recorded stays in $RECORD: make room, then leave or join again"
  fi
  mv -f "$2.istio-vm" "$2"
}

# Removes the user and group if join brought them. Account files that then say what they said before also get their
# times and backups back; any that somebody else changed meanwhile are left alone.
restore_accounts() {
  if [ ! -s "$RECORD/user" ] && getent passwd istio-proxy >/dev/null; then userdel istio-proxy; fi
  if [ ! -s "$RECORD/group" ] && getent group istio-proxy >/dev/null; then groupdel istio-proxy; fi
  for name in $ACCOUNT_FILES; do
    cmp -s "$RECORD/$name" "/etc/$name" || continue
    for file in "$name" "$name-"; do
      if [ -e "$RECORD/$file" ]; then put_back "$RECORD/$file" "/etc/$file"; else rm -f "/etc/$file"; fi
    done
  done
}

# iptables-nft leaves the tables that it made, now empty: they go too, if nobody has put anything into them since.
restore_tables() {
  for tool in iptables-nft ip6tables-nft; do
    for table in $(iptables_tables $tool); do
      if grep -qx "$table" "$RECORD/$tool" || $tool-save -t "$table" 2>/dev/null | grep -Eq '^-A|^:[^ ]+ (-|DROP)'; then continue; fi
      printf '*%s\nCOMMIT\n' "$table" | $tool-restore # without chains, this deletes the table
    done
  done
}

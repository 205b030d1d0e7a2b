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
  rm -rf "$RECORD.new"
  mkdir "$RECORD.new"
  fact owner >"$RECORD.new/owner"
  installed_version >"$RECORD.new/package" || :
  getent passwd istio-proxy >"$RECORD.new/user" || :
  getent group istio-proxy >"$RECORD.new/group" || :
  systemctl is-enabled istio.service >"$RECORD.new/enabled" 2>/dev/null || :
  nft_tables >"$RECORD.new/nft-tables"
  cp -p /etc/hosts "$RECORD.new/"
  for name in $ACCOUNT_FILES; do
    for file in "/etc/$name" "/etc/$name-"; do
      [ ! -e "$file" ] || cp -p "$file" "$RECORD.new/"
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
  tar -C / --absolute-names --numeric-owner -cpf "$RECORD.new/files.tar" $present --no-recursion $dirs
  sync "$RECORD.new/files.tar"
  mv "$RECORD.new" "$RECORD"
  say record "ok: $RECORD"
}

# The tables that nft sees, a line each; iptables-nft makes a table by using it.
nft_tables() { nft list tables 2>/dev/null || :; }

# Gives back every recorded file as it was, and removes those that were not there. What somebody else put into
# /etc/hosts or the certificates' folder meanwhile stays.
restore_files() {
  foreign_hosts | replace /etc/hosts "$(stat -c %a "$RECORD/hosts")" "$(stat -c %u:%g "$RECORD/hosts")" || :
  if cmp -s "$RECORD/hosts" /etc/hosts; then touch -r "$RECORD/hosts" /etc/hosts; fi
  # shellcheck disable=SC2086 # paths without blanks
  rm -rf $RECORDED_TREES
  tar -tPf "$RECORD/files.tar" >"$here/recorded"
  for dir in /run/secrets /var/log/istio; do
    grep -qx "$dir/" "$here/recorded" || rm -rf "$dir"
  done
  grep -qx "$CERTS/" "$here/recorded" || rmdir "$CERTS" 2>/dev/null || [ ! -d "$CERTS" ] ||
    say leave "$CERTS stays: there are files in it that join did not bring"
  tar -C / --absolute-names --numeric-owner -xpf "$RECORD/files.tar"
}

# Removes the user and group if join brought them. Account files that then say what they said before also get their
# times and backups back; any that somebody else changed meanwhile are left alone.
restore_accounts() {
  if [ ! -s "$RECORD/user" ] && getent passwd istio-proxy >/dev/null; then userdel istio-proxy; fi
  if [ ! -s "$RECORD/group" ] && getent group istio-proxy >/dev/null; then groupdel istio-proxy; fi
  for name in $ACCOUNT_FILES; do
    cmp -s "$RECORD/$name" "/etc/$name" || continue
    for file in "$name" "$name-"; do
      if [ -e "$RECORD/$file" ]; then cp -p "$RECORD/$file" "/etc/$file"; else rm -f "/etc/$file"; fi
    done
  done
}

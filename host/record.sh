# Phase 2 of join: what the host looked like before, so that leave can give it back.
# shellcheck shell=sh

# In RECORD:
#   owner                     the owner mark of the stack that joined the host
#   files, saved/, folders    the lines of all files that join ever put here (files.sh), copies of those that were there
#                             before, and the folders that were not
#   files.tar                 what else join changes, as far as it was there
#   present                   what was in the folders into which others may put something
#   package, istio-sidecar.*  the version of the package that was there before, and the package
#   adopted                   of a host that is taken over: how its own sidecar did (adopt.sh)
#   user, group, iptables-nft, ip6tables-nft, passwd, ...    accounts, and tables of nft

# Directories that only hold changed files come without their content.
RECORDED_TREES="/etc/istio /var/lib/istio"
RECORDED_FILES="/usr/local/bin/envoy /usr/local/bin/pilot-agent /usr/local/bin/istio-start.sh
  /lib/systemd/system/istio.service /etc/systemd/system/istio.service
  /etc/systemd/system/multi-user.target.wants/istio.service
  $TOKEN"
RECORDED_DIRS="$CERTS /usr/local /usr/local/bin /run/secrets /var/log/istio"
# Of these trees and folders: where the sidecar's agent puts something, and anybody else may.
SHARED_TREES="$RECORDED_TREES /run/secrets /var/log/istio"
ACCOUNT_FILES="passwd group shadow gshadow subuid subgid"

record() {
  local new tool name file path present dirs
  if [ -d "$RECORD" ]; then
    adopt_record
    each_file "$(facts file)" record_file "$RECORD"
    say record "ok: kept from the first join"
    return
  fi
  new=$HOME_DIR/record.new
  rm -rf "$new"
  mkdir "$new"
  fact owner >"$new/owner"
  getent passwd istio-proxy >"$new/user" || :
  getent group istio-proxy >"$new/group" || :
  for tool in iptables-nft ip6tables-nft; do iptables_tables $tool >"$new/$tool"; done
  package_version >"$new/package"
  [ ! -s "$new/package" ] || package_keep "$new/$KEPT_PACKAGE"
  for name in $ACCOUNT_FILES; do
    for file in "/etc/$name" "/etc/$name-"; do
      [ ! -e "$file" ] || cp -p "$file" "$new/"
    done
  done
  record_sidecar "$new"
  # shellcheck disable=SC2086 # paths without blanks
  find $SHARED_TREES 2>/dev/null >"$new/present" || :
  mkdir "$new/saved"
  : >"$new/files"
  each_file "$(facts file)" record_file "$new"
  present=''
  for path in $RECORDED_TREES $RECORDED_FILES; do
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

# `record_file RECORD MODE PATH SOURCE RESTART`: also one that only a later join brings, before it is written first.
record_file() {
  local folder
  ! has_file "$(cat "$1/files")" "$3" || return 0
  folder=${3%/*}
  while [ -n "$folder" ] && [ ! -d "$folder" ]; do
    echo "$folder" >>"$1/folders"
    folder=${folder%/*}
  done
  keep_copy "$3" "$4" "$1/saved"
  find "$1/saved" -type f -exec sync {} +
  echo "$2 $3 $4" >>"$1/files"
}

# A record that an older version made: it has these files in files.tar, and /etc/hosts beside it.
adopt_record() {
  local present path
  [ ! -e "$RECORD/files" ] || return 0
  present=$(tar -tPf "$RECORD/files.tar")
  mkdir -p "$RECORD/saved"
  cp -p "$RECORD/hosts" "$RECORD/saved/$(copy_of /etc/hosts)"
  printf '%s\n' "$present" | grep -qx "$CERTS/" || echo "$CERTS" >"$RECORD/folders"
  for path in "$CERTS/root-cert.pem" "$CERTS/cert-chain.pem" "$CERTS/key.pem" "$ENV_DIR/cluster.env" "$ENV_DIR/sidecar.env"; do
    echo "- $path -"
    ! printf '%s\n' "$present" | grep -qxFe "$path" ||
      tar -C "$RECORD/saved" --absolute-names --numeric-owner --transform 's,/,_,g' -xpf "$RECORD/files.tar" "$path"
  done >"$RECORD/files.new"
  echo "- /etc/hosts block:hosts" >>"$RECORD/files.new"
  mv "$RECORD/files.new" "$RECORD/files"
}

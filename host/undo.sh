# Undoing a change: back to the state that was confirmed last, or, if none ever was and for leave, to what the host was
# before the first join. Every step may find its work done already.
# shellcheck shell=sh

PREVIOUS=$HOME_DIR/previous

# The files of the state that was confirmed last. They stay those while further ones are tried.
keep_previous() {
  if [ ! -e "$HOME_DIR/joining" ]; then # a join that was cut off when all was done left these
    disarm
    rm -rf "$PREVIOUS"
  fi
  if [ ! -e "$HOME_DIR/state" ] || [ -d "$PREVIOUS" ]; then return 0; fi
  rm -rf "$PREVIOUS.new"
  mkdir -m 0700 "$PREVIOUS.new"
  each_file "$(previous_files)" keep_previous_file
  mv "$PREVIOUS.new" "$PREVIOUS"
}

keep_previous_file() { keep_copy "$2" "$PREVIOUS.new"; }

# All that join ever put here, and its own books on them.
previous_files() {
  cat "$RECORD/files"
  printf -- '- %s -\n' "$HOME_DIR/sent" "$HOME_DIR/package"
}

# But for one that a join brought which was cut off.
keep_previous_package() {
  local file
  file=$PREVIOUS/istio-sidecar.$PACKAGE_FORMAT
  if [ -d "$PREVIOUS" ] && [ ! -e "$file" ] && [ -n "$(package_version)" ]; then package_keep "$file"; fi
}

# By the timer, or at boot: unless join has come to its end meanwhile.
undo_unconfirmed() {
  if [ ! -e "$HOME_DIR/joining" ]; then
    disarm
    exit 0
  fi
  say undo "nobody confirmed the change: the host goes back to what it was"
  undo
}

undo() {
  local file
  if [ ! -e "$HOME_DIR/state" ]; then
    give_back
    return
  fi
  adopt_record
  file=$PREVIOUS/istio-sidecar.$PACKAGE_FORMAT
  if [ -e "$file" ]; then
    : >"$RESTARTING"
    package_put "$file" "given back"
  fi
  # Else nothing was changed yet.
  [ ! -d "$PREVIOUS" ] || each_file "$(previous_files)" undo_file
  # A sidecar that was not touched yet goes on undisturbed.
  if [ -e "$RESTARTING" ] || ! ready; then restart_sidecar; fi
  await "$READY_SECONDS" ready || say undo "the sidecar is not ready with the earlier configuration either: see /var/log/istio"
  release
  systemctl enable --quiet istio.service 2>/dev/null
  rm -rf "$HOME_DIR/joining" "$HOME_DIR/awaiting" "$PREVIOUS" "$CONFIRMED" "$RESTARTING"
  disarm
}

# One that the confirmed state does not have came with the change.
undo_file() {
  local kept
  kept=$PREVIOUS/$(copy_of "$2")
  if [ -e "$kept" ]; then
    ! cmp -s "$kept" "$2" || return 0
    : >"$RESTARTING"
    mv -f "$kept" "$2"
  elif [ -e "$2" ] && ! has_file "$(STATE=$(cat "$HOME_DIR/state") && facts file)" "$2"; then
    : >"$RESTARTING"
    give_back_file "$@"
  fi
}

give_back() {
  if [ ! -d "$RECORD" ]; then # cut off before anything was changed
    rm -rf "$HOME_DIR"
    return
  fi
  adopt_record
  systemctl disable --quiet istio.service 2>/dev/null || :
  systemctl stop istio.service 2>/dev/null || : # it may run although its file is gone
  remove_rules
  say leave "sidecar stopped, no rule left"
  give_back_package
  give_back_files
  give_back_accounts
  disarm
  systemctl daemon-reload
  systemctl reset-failed istio.service 2>/dev/null || :
  rm -rf "$HOME_DIR" "$CONFIRMED" "$RESTARTING"
  say leave "package, files, units and accounts restored"
}

# The unit's own clean-up removes the chains; this is for a unit that was killed, or whose configuration was changed.
remove_rules() {
  local tool table rules
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables $tool); do
      rules=$($tool-save -t "$table" 2>/dev/null)
      case $rules in *ISTIO*) printf '%s\n' "$rules" | sed /ISTIO/d | $tool-restore || : ;; esac
    done
  done
  rules=$(istio_rules)
  [ -z "$rules" ] || fail "iptables rules of Istio remain, remove them by hand:
$rules"
  remove_tables
}

# iptables-nft leaves the tables that it made, now empty: they go too, if nobody has put anything into them since.
remove_tables() {
  local tool table
  for tool in iptables-nft ip6tables-nft; do
    for table in $(iptables_tables $tool); do
      if grep -qx "$table" "$RECORD/$tool" || $tool-save -t "$table" 2>/dev/null | grep -Eq '^-A|^:[^ ]+ (-|DROP)'; then continue; fi
      printf '*%s\nCOMMIT\n' "$table" | $tool-restore # without chains, this deletes the table
    done
  done
}

# The package that was there before the first join, or none.
give_back_package() {
  local log
  if [ -s "$RECORD/package" ]; then
    if [ -e "$HOME_DIR/package" ] || [ "$(package_version)" != "$(cat "$RECORD/package")" ]; then
      package_put "$RECORD/istio-sidecar.$PACKAGE_FORMAT" "given back"
    fi
    return
  fi
  [ -n "$(package_status)" ] || return 0
  log=$(package_remove 2>&1) || fail "the package istio-sidecar can't be removed: $log"
}

# What was recorded, as it was; what was not there goes.
give_back_files() {
  local recorded dir
  each_file "$(cat "$RECORD/files")" give_back_file
  # shellcheck disable=SC2086 # paths without blanks
  rm -rf $RECORDED_TREES
  # shellcheck disable=SC2086
  rm -f $PACKAGE_LEFTOVERS
  recorded=$(tar -tPf "$RECORD/files.tar")
  for dir in /run/secrets /var/log/istio; do
    printf '%s\n' "$recorded" | grep -qx "$dir/" || rm -rf "$dir"
  done
  for dir in $(sort -ru "$RECORD/folders" 2>/dev/null); do
    rmdir "$dir" 2>/dev/null || [ ! -d "$dir" ] || say leave "$dir stays: there are files in it that join did not bring"
  done
  tar -C / --absolute-names --numeric-owner -xpf "$RECORD/files.tar"
}

# What somebody else put into a file with a block of ours meanwhile stays.
give_back_file() {
  local saved
  saved=$RECORD/saved/$(copy_of "$2")
  rm -f "$2".istio-vm.?????? # of a `replace` that was killed
  case $3 in
    block:*)
      if [ -e "$2" ] && [ ! -L "$saved" ]; then
        replace_foreign "$2" "$saved" foreign "$2"
        # But for a line break at its end, perhaps, which our block needed.
        [ "$(cat "$saved")" = "$(cat "$2")" ] || return 0
      fi
      ;;
  esac
  if [ -e "$saved" ] || [ -L "$saved" ]; then put_back "$saved" "$2"; else rm -f "$2"; fi
}

# Removes the user and group if join brought them. Account files that then say what they said before also get their
# times and backups back; any that somebody else changed meanwhile are left alone.
give_back_accounts() {
  local name file
  if [ ! -s "$RECORD/user" ] && getent passwd istio-proxy >/dev/null; then userdel istio-proxy; fi
  if [ ! -s "$RECORD/group" ] && getent group istio-proxy >/dev/null; then groupdel istio-proxy; fi
  for name in $ACCOUNT_FILES; do
    cmp -s "$RECORD/$name" "/etc/$name" || continue
    for file in "$name" "$name-"; do
      if [ -e "$RECORD/$file" ]; then put_back "$RECORD/$file" "/etc/$file"; else rm -f "/etc/$file"; fi
    done
  done
}

# Undoing a change: back to the state that was confirmed last, or, if none ever was and for leave, to what the host was
# before the first join. Whoever is locked out comes first: interception ends, and the environment is put back, before
# anything that may have to wait, or may fail. Every step may find its work done already, and leaves what the next needs.
# shellcheck shell=sh

PREVIOUS=$HOME_DIR/previous
LOG=/var/log/istio/istio.log
ERROR_LOG=/var/log/istio/istio.err.log

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

keep_previous_file() { keep_copy "$2" "$3" "$PREVIOUS.new"; }

# All that join ever put here, and its own books on them.
previous_files() {
  cat "$RECORD/files"
  printf -- '- %s -\n' "$HOME_DIR/sent" "$HOME_DIR/package"
}

# But for one that a join brought which was cut off.
keep_previous_package() {
  local file
  file=$PREVIOUS/$KEPT_PACKAGE
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
  spend_token
  # A sidecar that was not touched yet goes on undisturbed.
  if [ -e "$RESTARTING" ] || ! ready; then stop_sidecar; fi
  # Without these nothing was changed yet.
  [ ! -d "$PREVIOUS" ] || each_file "$(previous_files)" undo_file
  (STATE=$(cat "$HOME_DIR/state") && lead_to_lists)
  file=$PREVIOUS/$KEPT_PACKAGE
  if [ -e "$file" ]; then
    : >"$RESTARTING"
    package_restore "$file"
    systemctl daemon-reload
  fi
  if [ -e "$RESTARTING" ]; then
    start_unit || say undo "istio.service does not start: systemctl status istio"
  fi
  if await_ready; then
    (STATE=$(cat "$HOME_DIR/state") && follow_dns)
  else
    say undo "the sidecar is not ready with the earlier configuration either: see /var/log/istio"
  fi
  systemctl enable --quiet istio.service 2>/dev/null || fail "istio.service can't be enabled: systemctl status istio"
  rm -f "$HOME_DIR/joining" "$HOME_DIR/awaiting" "$SENT_PACKAGE" "$CONFIRMED" "$RESTARTING" "$REFUSED"
  rm -rf "$PREVIOUS"
  disarm
}

# One that the confirmed state does not have came with the change. The copies stay until all is over.
undo_file() {
  local kept real
  kept=$PREVIOUS/$(copy_of "$2")
  real=$(place "$2" "$3")
  remove_staged "$@"
  if [ -e "$kept" ]; then
    ! cmp -s "$kept" "$real" || return 0
    touch_sidecar
    put_back "$kept" "$real"
  elif [ -e "$real" ] && ! has_file "$(STATE=$(cat "$HOME_DIR/state") && facts file)" "$2"; then
    touch_sidecar
    give_back_file "$@"
  fi
}

# It must start anew, and before that its rules go with the environment that made them.
touch_sidecar() {
  [ -e "$RESTARTING" ] || stop_sidecar
}

give_back() {
  if [ ! -d "$RECORD" ]; then # cut off before anything was changed
    rm -rf "$HOME_DIR"
    return
  fi
  adopt_record
  if undisturbed; then
    forget
    say leave "its own sidecar runs as before: nothing was changed"
    return
  fi
  end_dns
  systemctl disable --quiet istio.service 2>/dev/null || :
  if had_sidecar; then
    stop_sidecar
  else
    systemctl stop istio.service 2>/dev/null || : # it may run although its file is gone
    remove_rules
    release
  fi
  spend_token
  say leave "sidecar stopped, no rule left"
  give_back_package
  remove_link_to_lists
  give_back_files
  give_back_accounts
  assert_given_back
  ! had_sidecar || bring_back
  remove_tables
  disarm
  systemctl daemon-reload
  systemctl reset-failed istio.service 2>/dev/null || :
  assert_sidecar
  forget
  say leave "package, files, units and accounts restored"
}

# The record is what says that there is something to give back: it goes last, and as a whole.
forget() {
  rm -rf "$HOME_DIR/state" "$HOME_DIR/joining" "$HOME_DIR/awaiting" "$PREVIOUS"
  mv "$RECORD" "$HOME_DIR/given-back"
  rm -rf "$HOME_DIR"
  rm -f "$CONFIRMED" "$RESTARTING" "$REFUSED"
}

# "Left" is what is so now. Before a sidecar of the host's own starts, which renews its certificates.
assert_given_back() {
  [ "$(package_version)" = "$(cat "$RECORD/package")" ] || fail "the package istio-sidecar is not what it was: $PACKAGE_SHOW"
  each_file "$(cat "$RECORD/files")" assert_file_given_back
}

assert_sidecar() {
  if had_sidecar; then
    systemctl is-active --quiet istio.service || fail "the sidecar that was here before does not run: systemctl status istio"
    return
  fi
  ! systemctl is-active --quiet istio.service || fail "istio.service runs again: what starts it?"
  [ -z "$(istio_rules)" ] || fail "iptables rules of Istio are there again: what makes them?"
}

assert_file_given_back() {
  local saved
  ! is_kept "$2" || return 0
  saved=$RECORD/saved/$(copy_of "$2")
  case $3 in
    block:*) ! grep -qe "^$BEGIN\$" -e "^$ASIDE" "$2" 2>/dev/null || fail "$2 has our lines again: what writes it?" ;;
    *)
      if [ -L "$saved" ]; then return 0; fi
      if [ -e "$saved" ]; then cmp -s "$saved" "$2"; else [ ! -e "$2" ]; fi || fail "$2 is not what it was: what writes it?"
      ;;
  esac
}

# The package that was there before the first join, or none.
give_back_package() {
  local log
  if [ -s "$RECORD/package" ]; then
    if [ -e "$HOME_DIR/package" ] || [ "$(package_version)" != "$(cat "$RECORD/package")" ]; then
      package_restore "$RECORD/$KEPT_PACKAGE"
      rm -f "$HOME_DIR/package"
    fi
    return
  fi
  [ -n "$(package_status)" ] || return 0
  log=$(package_remove 2>&1) || fail "the package istio-sidecar can't be removed: $log"
}

# What was recorded, as it was; what was not there goes, but for what somebody else has put there since.
give_back_files() {
  local tree
  choose_certificates
  each_file "$(cat "$RECORD/files")" give_back_file
  # shellcheck disable=SC2086 # paths without blanks
  rm -f $PACKAGE_LEFTOVERS $RECORDED_FILES
  for tree in $SHARED_TREES; do clear_tree "$tree"; done
  # shellcheck disable=SC2013 # paths without blanks
  for tree in $(sort -ru "$RECORD/folders" 2>/dev/null); do clear_folder "$tree"; done
  tar -C / --absolute-names --numeric-owner -xpf "$RECORD/files.tar"
}

# `clear_tree PATH`: what the sidecar has put there since, by its owner or group; and what then is empty.
clear_tree() {
  local present path
  [ -e "$1" ] || [ -L "$1" ] || return 0
  present=$RECORD/present
  [ -e "$present" ] || tar -tPf "$RECORD/files.tar" | sed 's,/$,,' >"$HOME_DIR/present"
  [ -e "$present" ] || present=$HOME_DIR/present # of a record that an older version made
  if [ -L "$1" ]; then
    grep -qxFe "$1" "$present" || rm -f "$1"
    return 0
  fi
  find "$1" -depth ! -type d '(' -user istio-proxy -o -group istio-proxy -o -path "$LOG" -o -path "$ERROR_LOG" ')' 2>/dev/null | grep -vxFf "$present" | tr '\n' '\0' | xargs -0r rm -f
  find "$1" -depth -type d | grep -vxFf "$present" | while read -r path; do clear_folder "$path"; done
}

# `clear_folder PATH`: unless it has something of somebody else's, whose it then is as well.
clear_folder() {
  [ -d "$1" ] || return 0
  rmdir "$1" 2>/dev/null && return 0
  [ "$(stat -c %U "$1")" != istio-proxy ] || chown root:root "$1"
  say leave "$1 stays: there are files in it that join did not bring"
}

# What somebody else put into a file with a block of ours meanwhile stays.
give_back_file() {
  local saved real
  saved=$RECORD/saved/$(copy_of "$2")
  real=$(place "$2" "$3")
  remove_staged "$@"
  ! is_kept "$2" || return 0
  case $3 in
    block:*)
      if [ -e "$real" ] && [ ! -L "$saved" ]; then
        # But for a line break at its end, perhaps, which our block needed.
        if [ -e "$saved" ] && [ "$(cat "$saved")" = "$(foreign "$real")" ]; then
          put_back "$saved" "$real"
        else
          stage_like "$real" "$real" foreign "$real"
          put "$real"
        fi
        return
      fi
      ;;
  esac
  if [ -e "$saved" ] || [ -L "$saved" ]; then put_back "$saved" "$real"; else rm -f "$real"; fi
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

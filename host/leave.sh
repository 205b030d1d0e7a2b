# Gives the host back as it was before the first join, if this stack joined it, and by this name.
# shellcheck shell=sh

leave() {
  local owner name traces
  if [ ! -d "$RECORD" ]; then
    traces=$(joined_without_record)
    [ -z "$traces" ] || fail "the record of what it was before it joined is gone from $RECORD, but $traces: it can't be given back. \
Undo it by hand (docs/host.md), or mark the host as gone"
    rm -rf "$HOME_DIR"
    say left "it was not joined: nothing to undo"
    return
  fi
  owner=$(cat "$RECORD/owner")
  if [ "$owner" != "$(fact owner)" ]; then
    say left "it was joined by another stack, with owner mark $owner: nothing of this one is here"
    return
  fi
  name=$(sed -n 's/^host //p' "$HOME_DIR/joining" "$HOME_DIR/state" 2>/dev/null | head -n 1)
  if [ -n "$name" ] && [ "$name" != "$(fact host)" ]; then
    say left "it is joined as $name now: nothing of $(fact host) is here"
    return
  fi
  [ "$(cat "$RECORD/package")" = "$(package_version)" ] || await "$PACKAGE_SECONDS" package_free ||
    fail "the package manager is in use, try again when that has ended; nothing was changed: $(package_busy)"
  account
  if had_sidecar; then
    give_back_package # while ours still serves: what takes its place then waits for less
  else
    part
  fi
  give_back
  [ -z "$REMOVED" ] || say leave "removed: $REMOVED"
  [ -z "$RESTORED" ] || say leave "as before again: $RESTORED"
  say left "the host is as it was"
}

# Seconds for what is under way.
PARTING_SECONDS=30

# Nobody is sent here any more: those who were come to their end. Of connections that this host itself has opened, and may
# keep for ever, no end is waited for.
part() {
  if ! { ready && ask POST 15020 /drain; }; then return 0; fi
  nobody_served || say leave "waits for $(served) to end, $PARTING_SECONDS s at most"
  await "$PARTING_SECONDS" nobody_served || say leave "$(served) had not ended after $PARTING_SECONDS s: they are cut"
  await 1 no_connections || :
}

nobody_served() { [ -z "$(connections_to :15006)" ]; }
served() { echo "$(connections_to :15006 | wc -l) connections"; }

# What will be removed, and what will be as it was before, in words.
account() {
  REMOVED='' RESTORED=''
  adopt_record
  if [ ! -s "$RECORD/package" ]; then
    [ -z "$(package_version)" ] || removed "package istio-sidecar $(package_version)"
  elif [ -e "$HOME_DIR/package" ] || [ "$(package_version)" != "$(cat "$RECORD/package")" ]; then
    restored "package istio-sidecar $(cat "$RECORD/package")"
  fi
  [ -s "$RECORD/user" ] || ! getent passwd istio-proxy >/dev/null || removed "user istio-proxy"
  each_file "$(cat "$RECORD/files")" account_for_file
}

account_for_file() {
  local saved
  saved=$RECORD/saved/$(copy_of "$2")
  if [ -e "$saved" ] || [ -L "$saved" ]; then
    cmp -s "$saved" "$2" || restored "$2"
  elif [ -e "$2" ]; then
    removed "$2"
  fi
}

removed() { REMOVED="${REMOVED:+$REMOVED, }$1"; }
restored() { RESTORED="${RESTORED:+$RESTORED, }$1"; }

# What shows that this host was joined though nothing says how it was before; nothing if nothing does.
joined_without_record() {
  if [ -e "$HOME_DIR/given-back" ]; then return 0; fi # all but the end of a leave
  if [ -e "$HOME_DIR/state" ]; then
    echo "$HOME_DIR/state is there"
  elif grep -qxF "$BEGIN" /etc/hosts 2>/dev/null; then
    echo "/etc/hosts has its lines"
  fi
}

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
  ! had_sidecar || give_back_package # while ours still serves: what takes its place then waits for less
  give_back
  say left "the host is as it was"
}

# What shows that this host was joined though nothing says how it was before; nothing if nothing does.
joined_without_record() {
  if [ -e "$HOME_DIR/given-back" ]; then return 0; fi # all but the end of a leave
  if [ -e "$HOME_DIR/state" ]; then
    echo "$HOME_DIR/state is there"
  elif grep -qxF "$BEGIN" /etc/hosts 2>/dev/null; then
    echo "/etc/hosts has its lines"
  fi
}

# A change that could cut the host off counts only when a fresh SSH session has confirmed it; else it is undone: by join
# itself, or, should join be dead by then, by a timer. Until it is confirmed the sidecar does not start at boot, so a
# reboot gives the host back as well.
# shellcheck shell=sh

CONFIRM_SECONDS=45
# Longer than join itself can take from here on.
UNDO_SECONDS=$((READY_SECONDS + CONFIRM_SECONDS + 30))
PREVIOUS=$HOME_DIR/previous
KEPT="/etc/hosts $CERTS/root-cert.pem $CERTS/cert-chain.pem $CERTS/key.pem $ENV_DIR/cluster.env $ENV_DIR/sidecar.env $HOME_DIR/sent
  $HOME_DIR/package"

# The files of the state that was confirmed last. They stay those while further ones are tried.
keep_previous() {
  if [ ! -e "$HOME_DIR/state" ] || [ -d "$PREVIOUS" ]; then return 0; fi
  rm -rf "$PREVIOUS.new"
  mkdir -m 0700 "$PREVIOUS.new"
  for path in $KEPT; do
    [ ! -e "$path" ] || cp -p "$path" "$PREVIOUS.new/$(echo "$path" | tr / _)"
  done
  mv "$PREVIOUS.new" "$PREVIOUS"
}

arm() {
  rm -f "$CONFIRMED"
  systemctl disable --quiet istio.service 2>/dev/null || :
  disarm
  systemd-run --quiet --collect --on-active="$UNDO_SECONDS" --unit=istio-vm-undo "$HOME_DIR/bin/istio-vm" undo ||
    fail "systemd-run can't set the timer that would undo a failed change"
}

disarm() { systemctl stop istio-vm-undo.timer 2>/dev/null || :; }

state_digest() { printf '%s\n' "$STATE" | sha256sum | cut -d ' ' -f 1; }

# A fresh session says that it could be had. It counts only once the sidecar runs with the state in question.
confirm() {
  [ "$(cat "$HOME_DIR/awaiting" 2>/dev/null)" = "$1" ] || exit 4
  echo "$1" >"$CONFIRMED"
}

confirmed() { [ "$(cat "$CONFIRMED" 2>/dev/null)" = "$(state_digest)" ]; }

await_confirmation() {
  state_digest >"$HOME_DIR/awaiting"
  await "$CONFIRM_SECONDS" confirmed ||
    fail "no fresh SSH session could be had within $CONFIRM_SECONDS s after the change: would the sidecar's configuration cut the host off?"
  say confirm "ok: a fresh SSH session works"
}

commit() {
  disarm
  systemctl enable --quiet istio.service 2>/dev/null || fail "istio.service can't be enabled: systemctl status istio"
  mv -f "$HOME_DIR/joining" "$HOME_DIR/state"
  rm -rf "$HOME_DIR/awaiting" "$PREVIOUS" "$CONFIRMED"
}

# By the timer: unless join has come to its end meanwhile.
undo_unconfirmed() {
  [ -e "$HOME_DIR/joining" ] || exit 0
  say undo "nobody confirmed the change: the host goes back to what it was"
  undo
}

# Back to the state that was confirmed last, or out of the mesh if none ever was.
undo() {
  if [ ! -e "$HOME_DIR/state" ]; then
    give_back
    disarm
    return
  fi
  back=''
  if [ -e "$PREVIOUS/istio-sidecar.deb" ]; then
    install_deb "$PREVIOUS/istio-sidecar.deb"
    back=package
  fi
  for path in $KEPT; do
    kept=$PREVIOUS/$(echo "$path" | tr / _)
    if [ ! -e "$kept" ] || cmp -s "$kept" "$path"; then continue; fi
    mv -f "$kept" "$path"
    back="$back $path"
  done
  # A sidecar that was not touched yet goes on undisturbed.
  if [ -n "$back" ] || ! ready; then systemctl restart istio.service; fi
  await "$READY_SECONDS" ready || say undo "the sidecar is not ready with the earlier configuration either: see /var/log/istio"
  systemctl enable --quiet istio.service 2>/dev/null
  rm -rf "$HOME_DIR/joining" "$HOME_DIR/awaiting" "$PREVIOUS" "$CONFIRMED"
  disarm
}

# A change that could cut the host off counts only when a fresh SSH session has confirmed it; else it is undone: by join
# itself, or, should join be dead by then, by a timer or at the next boot. Until then the sidecar does not start at boot.
# shellcheck shell=sh

CONFIRM_SECONDS=45
# In which somebody whose session was lost is back, if he is still there. CONFIRM_SECONDS is a multiple of it.
ABSENT_SECONDS=9
MAX_SKEW=60 # seconds between the clocks of a host and of the computer where pulumi runs
# Longer than join itself can take from here on.
UNDO_SECONDS=$((READY_SECONDS + CONFIRM_SECONDS + 30))
UNDO_UNIT=/etc/systemd/system/istio-vm-undo.service

# `--no-reload`, here and below: what is enabled matters at the next boot, and for systemd to reload takes a while.
arm() {
  systemctl stop istio-vm-undo.timer 2>/dev/null || :
  rm -f "$CONFIRMED" "$HOME_DIR/awaiting"
  systemctl disable --quiet --no-reload istio.service 2>/dev/null || :
  replace "$UNDO_UNIT" 0644 root:root cat <<EOF
[Unit]
Description=pulumi-istio-vm: takes a change back that nobody confirmed
[Service]
Type=oneshot
ExecStart=$HOME_DIR/bin/istio-vm undo
[Install]
WantedBy=multi-user.target
EOF
  # To enable it makes systemd reload as well.
  if ! { { systemctl is-enabled --quiet istio-vm-undo.service || systemctl enable --quiet istio-vm-undo.service; } 2>/dev/null &&
    systemd-run --quiet --collect --on-active="$UNDO_SECONDS" --timer-property=AccuracySec=1s --unit=istio-vm-undo; }; then
    fail "systemd can't be told to undo a failed change: systemctl status istio-vm-undo.timer"
  fi
}

disarm() {
  systemctl stop istio-vm-undo.timer 2>/dev/null || :
  rm -f "$UNDO_UNIT".istio-vm.??????
  [ -e "$UNDO_UNIT" ] || return 0
  systemctl disable --quiet --no-reload istio-vm-undo.service 2>/dev/null || :
  rm -f "$UNDO_UNIT"
  systemctl daemon-reload
}

state_digest() { printf '%s\n' "$STATE" | sha256sum | cut -d ' ' -f 1; }

# `is_awaiting DIGEST`: whether join waits for somebody to confirm that state.
is_awaiting() { [ -e "$HOME_DIR/awaiting" ] && [ "$(cat "$HOME_DIR/awaiting" 2>/dev/null)" = "$1" ]; }

# `confirm DIGEST EPOCH`: a fresh session says that it could be had, and what its clock says. It counts only once the
# sidecar runs with the state in question.
confirm() {
  is_awaiting "$1" || exit 4
  echo "$1 $2 $(date +%s)" >"$CONFIRMED"
}

utc() { date -u -d "@$1" +%FT%TZ; }

confirmed() { [ "$(cut -d ' ' -f 1 "$CONFIRMED" 2>/dev/null)" = "$(state_digest)" ]; }

await_confirmation() {
  local waited unless theirs ours skew
  state_digest >"$HOME_DIR/awaiting"
  waited=0
  until await "$ABSENT_SECONDS" confirmed; do
    waited=$((waited + ABSENT_SECONDS))
    in_company || confirmed || fail "$DESERTED" # in this order: who has confirmed it leaves
    [ "$waited" -ge "$CONFIRM_SECONDS" ] || continue
    unless=''
    [ -e "$here/attended" ] || unless=', or was pulumi up interrupted'
    fail "no fresh SSH session could be had within $CONFIRM_SECONDS s after the change: would the sidecar's configuration cut the host off$unless?"
  done
  read -r _ theirs ours <"$CONFIRMED"
  skew=$((ours - theirs))
  [ "${skew#-}" -le "$MAX_SKEW" ] ||
    fail "its clock says $(utc "$ours"), that of the computer where pulumi runs says $(utc "$theirs"): certificates that are made there would be refused here, or end too early; set the one that is wrong (timedatectl set-ntp true)"
  say confirm "ok: a fresh SSH session works"
}

# In an order in which being cut off leaves the host either with the change or with something that undoes it.
commit() {
  systemctl enable --quiet --no-reload istio.service 2>/dev/null || fail "istio.service can't be enabled: systemctl status istio"
  mv -f "$HOME_DIR/joining" "$HOME_DIR/state"
  disarm
  rm -rf "$HOME_DIR/awaiting" "$PREVIOUS" "$CONFIRMED"
}

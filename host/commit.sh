# A change that could cut the host off counts only when a fresh SSH session has confirmed it; else it is undone: by join
# itself, or, should join be dead by then, by a timer or at the next boot. Until then the sidecar does not start at boot.
# shellcheck shell=sh

CONFIRM_SECONDS=63
# In which somebody whose session was lost is back, if he is still there. CONFIRM_SECONDS is a multiple of it, and leaves
# time for a second and a third try (ssh/accompany.ts).
ABSENT_SECONDS=9
MAX_SKEW=60 # seconds between the clocks of a host and of the computer where pulumi runs
# Longer than join itself can take from here on.
UNDO_SECONDS=$((READY_SECONDS + CONFIRM_SECONDS + 60))
UNDO_UNIT=/etc/systemd/system/istio-vm-undo.service
UNDO_AT_BOOT=/etc/systemd/system/multi-user.target.wants/istio-vm-undo.service

# `--no-reload`: what is enabled matters at the next boot, and for systemd to reload takes a while.
arm() {
  systemctl stop istio-vm-undo.timer istio-vm-undo.service 2>/dev/null || : # it would only wait for us
  rm -f "$CONFIRMED" "$HOME_DIR/awaiting"
  replace "$UNDO_UNIT" 0644 root:root cat <<EOF
[Unit]
Description=pulumi-istio-vm: takes a change back that nobody confirmed
StartLimitIntervalSec=0
[Service]
ExecStart=$HOME_DIR/bin/istio-vm undo
Restart=on-failure
RestartSec=15
[Install]
WantedBy=multi-user.target
EOF
  # Not before there is what enables it again.
  systemctl disable --quiet --no-reload istio.service 2>/dev/null || :
  if ! { ln -sfn "$UNDO_UNIT" "$UNDO_AT_BOOT" && systemctl daemon-reload &&
    systemd-run --quiet --collect --on-active="$UNDO_SECONDS" --timer-property=AccuracySec=1s --unit=istio-vm-undo; }; then
    fail "systemd can't be told to undo a failed change: systemctl status istio-vm-undo.timer"
  fi
}

disarm() {
  systemctl stop istio-vm-undo.timer 2>/dev/null || :
  [ "$action" = undo ] || systemctl stop istio-vm-undo.service 2>/dev/null || : # it would only wait for us
  rm -f "$(staged "$UNDO_UNIT")"
  if [ ! -e "$UNDO_UNIT" ] && [ ! -L "$UNDO_AT_BOOT" ]; then return 0; fi
  rm -f "$UNDO_AT_BOOT" "$UNDO_UNIT"
  systemctl daemon-reload
}

state_digest() { printf '%s\n' "$STATE" | sha256sum | cut -d ' ' -f 1; }

# `is_awaiting DIGEST`: whether join waits for somebody to confirm that state.
is_awaiting() { [ "$(head -n 1 "$HOME_DIR/awaiting" 2>/dev/null)" = "$1" ]; }

# The other ends of all connections, as `ADDRESS PORT`: of those that are not accepted yet as well.
peers() {
  ss -Htna 2>/dev/null | awk '$1 != "LISTEN" { peer = $5; sub(/%[^\]]*/, "", peer); gsub(/^\[(::ffff:)?|\]/, "", peer); sub(/:[^:]*$/, " &", peer); sub(/ :/, " ", peer); print peer }'
}

awaiting() { state_digest && peers; }

# `confirm DIGEST EPOCH SSH_CONNECTION`: a fresh session says that it could be had, and what its clock says. It counts only
# once the sidecar runs with the state in question, and if its connection was begun after that: the kernel lets those go on
# that were there before.
confirm() {
  local peer
  is_awaiting "$1" || exit 4
  peer=$(printf '%s' "$3" | awk '{ sub(/^::ffff:/, "", $1); sub(/%.*/, "", $1); print $1, $2 }')
  if [ "$peer" = ' ' ] || [ -z "$peer" ]; then
    echo "the SSH server does not say where its sessions come from (SSH_CONNECTION)" >"$REFUSED"
    exit 5
  fi
  if sed 1d "$HOME_DIR/awaiting" | grep -qxFe "$peer"; then
    echo "the connection from $peer was there before the change" >"$REFUSED"
    exit 6
  fi
  echo "$1 $2 $(date +%s)" >"$CONFIRMED"
  echo "confirmed $1"
}

utc() { date -u -d "@$1" +%FT%TZ; }

confirmed() { [ "$(cut -d ' ' -f 1 "$CONFIRMED" 2>/dev/null)" = "$(state_digest)" ]; }

await_confirmation() {
  local waited unless theirs ours problem
  rm -f "$REFUSED"
  awaiting >"$HOME_DIR/awaiting.new" || fail "can't write $HOME_DIR/awaiting: is the disk full?"
  mv "$HOME_DIR/awaiting.new" "$HOME_DIR/awaiting"
  : >"$here/awaiting"
  waited=0
  until await "$ABSENT_SECONDS" confirmed; do
    waited=$((waited + ABSENT_SECONDS))
    in_company || confirmed || fail "$DESERTED" # in this order: who has confirmed it leaves
    [ "$waited" -ge "$CONFIRM_SECONDS" ] || continue
    unless=''
    [ -e "$here/attended" ] || unless=', or was pulumi up interrupted'
    fail "no fresh SSH session could be had within $CONFIRM_SECONDS s after the change: would the sidecar's configuration cut the host off$unless?$(other_reasons)"
  done
  read -r _ theirs ours <"$CONFIRMED"
  ! problem=$(skewed "$theirs" "$ours") || fail "$problem"
  say confirm "ok: a fresh SSH session works"
}

# What else may be why no session was heard.
other_reasons() {
  local tool limit
  [ ! -s "$REFUSED" ] || printf ' One was had, but %s.' "$(cat "$REFUSED")"
  for tool in iptables-nft iptables-legacy; do
    for limit in $(iptables_tables "$tool"); do
      [ "$limit" != filter ] || "$tool-save" -t filter 2>/dev/null | grep -E -m 1 -e '-m (recent|hashlimit|connlimit) '
    done
  done | head -n 1 | sed 's/.*/ Its firewall limits new connections, which may be in the way: &/'
}

# In an order in which being cut off leaves the host either with the change or with something that undoes it.
commit() {
  systemctl enable --quiet --no-reload istio.service 2>/dev/null || fail "istio.service can't be enabled: systemctl status istio"
  mv -f "$HOME_DIR/joining" "$HOME_DIR/state"
  disarm
  rm -rf "$HOME_DIR/awaiting" "$PREVIOUS" "$CONFIRMED" "$REFUSED"
}

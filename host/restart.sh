# Starting the sidecar anew without failing anybody's request: open connections come to their end first, and those that
# are opened in the gap wait for it.
# shellcheck shell=sh

# As long as the agent itself drains.
DRAIN_SECONDS=5
# For at most so long. A client's kernel asks again after 1, 3 and 7 s; Istio gives up connecting after 10 s.
HOLD_SECONDS=8
# Not ISTIO_...: those chains are Istio's own, and it clears them away when it starts.
HOLD_CHAIN=HOLD_FOR_ISTIO
HOLD_JUMP="PREROUTING ! -i lo -p tcp --syn -j $HOLD_CHAIN"

# Interception ends as well: its rules go with the environment that made them. `await_ready` is for what comes after.
stop_sidecar() {
  systemctl daemon-reload # always: systemd does not notice a drop-in of the operator's in a new folder
  release
  pause_dns
  : >"$RESTARTING"
  # An older agent drains when it is stopped, for longer than connections can be held.
  if { [ -e "$HOME_DIR/state" ] || had_sidecar; } && { ! ready || drain; }; then hold; fi
  await 1 no_connections || :
  systemctl stop istio.service 2>/dev/null || : # it may run although its file is gone
  remove_rules
}

start_unit() {
  keep_rules_env
  systemctl restart istio.service
}

# Waits until the sidecar is ready, and lets new connections in again: then, or when a client may give up.
await_ready() {
  await "$HOLD_SECONDS" ready || :
  release
  await "$((READY_SECONDS - HOLD_SECONDS))" ready
}

# Envoy tells its clients to go on by new connections, and still takes those; the agent then stops it without delay.
drain() {
  ask POST 15020 /drain || return 1
  await "$DRAIN_SECONDS" no_connections || :
}

# Of the mesh with Envoy, in and out.
no_connections() { [ -z "$(connections_to :15006)" ] && [ -z "$(connections_to :15001)" ]; }
connections_to() { ss -Htn state established "( sport = $1 )"; }

# Drops what opens a connection to the inbound ports of the sidecar: the client's kernel tries again.
# The rules lose their effect by themselves, whatever becomes of this script.
hold() {
  local rules tool reason
  rules=$(hold_rules) || return 0 # the environment is gone: nothing is intercepted by it
  for tool in iptables ip6tables; do
    [ $tool = iptables ] || grep -qs . /proc/net/if_inet6 || continue # its size is none
    reason=$(printf '%s\n' "$rules" | $tool-restore --noflush --wait 5 2>&1) ||
      say start "new connections can't be held back during the restart: $reason"
  done
}

# For `iptables-restore`. raw comes first, before connections are tracked.
hold_rules() (
  local port file
  # shellcheck source=/dev/null # in a subshell: it is the sidecar's environment
  for file in "$ENV_DIR/sidecar.env" "$ENV_DIR/cluster.env"; do [ ! -e "$file" ] || . "$file"; done
  rule() { echo "-A $HOLD_CHAIN $*"; }
  printf '*raw\n:%s - [0:0]\n-I %s\n' "$HOLD_CHAIN" "$HOLD_JUMP"
  rule -m time --datestart "$(date -u -d "@$(($(date +%s) + HOLD_SECONDS))" +%FT%T)" -j RETURN
  for port in $SSH_PORT $(echo "${ISTIO_LOCAL_EXCLUDE_PORTS:-}" | tr , ' '); do
    rule -p tcp --dport "$port" -j RETURN
  done
  case ${ISTIO_INBOUND_PORTS:-} in
    '*') rule -j DROP ;;
    *) for port in $(echo "${ISTIO_INBOUND_PORTS:-}" | tr , ' '); do rule -p tcp --dport "$port" -j DROP; done ;;
  esac
  echo COMMIT
)

# Lets new connections in again. If that is refused, as when hold was, nothing is held either after HOLD_SECONDS.
release() {
  local tool
  [ -e "$RESTARTING" ] || return 0
  for tool in iptables ip6tables; do
    printf '*raw\n-D %s\n-F %s\n-X %s\nCOMMIT\n' "$HOLD_JUMP" $HOLD_CHAIN $HOLD_CHAIN |
      $tool-restore --noflush --wait 5 2>/dev/null || :
  done
}

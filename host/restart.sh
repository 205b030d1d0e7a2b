# Starting the sidecar anew without failing anybody's request: open connections come to their end first, and those that
# are opened in the gap, to this host or by it, wait for it.
# shellcheck shell=sh

# As long as the agent itself drains.
DRAIN_SECONDS=5
# For at most so long. A client's kernel asks again after 1, 3 and 7 s; Istio gives up connecting after 10 s.
HOLD_SECONDS=8
# Not ISTIO_...: those chains are Istio's own, and it clears them away when it starts.
HOLD_CHAIN=HOLD_FOR_ISTIO
HOLD_JUMP="PREROUTING ! -i lo -p tcp --syn -j $HOLD_CHAIN"
HOLD_OUT_CHAIN=${HOLD_CHAIN}_OUT
HOLD_OUT_JUMP="OUTPUT ! -o lo -p tcp --syn -j $HOLD_OUT_CHAIN"
# Likewise.
OPEN_CHAIN=OPEN_BEFORE_ISTIO
OPEN_OUT_CHAIN=${OPEN_CHAIN}_OUT

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

# The kernel need not have tracked connections before the first rules of nat: to it those that are open are new ones when
# something of them comes next, be it after days, and would be redirected in their midst. These go on as they began, for
# as long as any are open: those through the sidecar ended with it.
keep_open() {
  local tool ports ranges open
  ports=$(sed -n 's/^ISTIO_INBOUND_PORTS=//p' "$ENV_DIR/cluster.env" 2>/dev/null | tr , ' ')
  ranges=$(sed -n 's/^ISTIO_SERVICE_CIDR=//p' "$ENV_DIR/cluster.env" 2>/dev/null | tr , ' ')
  if [ -z "$ports$ranges" ] || rules_are_theirs; then return 0; fi
  open=$(open_to "$ports" | wc -l)
  if had_rules && [ "$open" -eq 0 ] && [ -z "$(open_from "$ranges")" ]; then return 0; fi
  for tool in iptables ip6tables; do
    # Which need not be there, as by IPv6.
    open_rules "$ports" "$ranges" | "$(tool_for_istio "$tool")-restore" --noflush --wait 5 2>/dev/null || :
  done
  [ "$ports" = '*' ] || [ "$open" -eq 0 ] ||
    say start "$open connections go on as they began, past the sidecar, until they end"
}

# `open_to PORTS`, `open_from RANGES`: the connections to these ports from elsewhere, and to these ranges; where all are
# meant, whatever is open.
open_to() {
  local port
  case $1 in
    '*') ss -Htn state established ;;
    *)
      for port in $1; do
        ss -Htn state established "( sport = :$port and not dst 127.0.0.0/8 and not dst [::1] )"
      done
      ;;
  esac
}
open_from() {
  local range
  case $1 in
    *'*'*) ss -Htn state established ;;
    *) for range in $1; do ss -Htn state established "( dst $range )"; done ;;
  esac
}

# `tool_for_istio iptables|ip6tables`: of the two kinds, the one in which Istio is about to make its rules: the legacy one
# wherever that works, for istio-start.sh has it look at that twice, and finds the table that it made by looking
# (tools/istio-iptables, DetectIptablesVersion). The other kind is left alone: whose table comes first goes first.
tool_for_istio() {
  if "$1-legacy" -t nat -S >/dev/null 2>&1; then
    echo "$1-legacy"
  elif command -v "$1-nft-restore" >/dev/null; then
    echo "$1-nft"
  else
    echo "$1"
  fi
}

# Whether those that are open were begun under rules.
had_rules() { [ -e "$RULES_ENV/cluster.env" ] && ! grep -qx ISTIO_CUSTOM_IP_TABLES=true "$RULES_ENV/cluster.env"; }

# `open_rules PORTS RANGES`: of what comes to these ports, and of all that is sent if some of it is taken, such as the
# answers of an SSH server in a session that is there.
open_rules() {
  local port
  printf '*nat\n:%s - [0:0]\n-I PREROUTING -p tcp ! --syn -j %s\n' "$OPEN_CHAIN" "$OPEN_CHAIN"
  case $1 in
    '*') echo "-A $OPEN_CHAIN -p tcp -j ACCEPT" ;;
    *) for port in $1; do echo "-A $OPEN_CHAIN -p tcp --dport $port -j ACCEPT"; done ;;
  esac
  if [ -n "$2" ]; then
    printf ':%s - [0:0]\n-I OUTPUT -p tcp ! --syn -j %s\n' "$OPEN_OUT_CHAIN" "$OPEN_OUT_CHAIN"
    echo "-A $OPEN_OUT_CHAIN -p tcp -j ACCEPT"
  fi
  echo COMMIT
}

start_unit() {
  keep_open
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

# Drops what opens a connection to the inbound ports of the sidecar, those that it has and those that it will have, or from
# here to the mesh: the client's kernel tries again. Else what is sent from here would meet no sidecar, or before Envoy
# listens Istio's rules that lead to it. The rules lose their effect by themselves, whatever becomes of this script.
hold() {
  local rules tool reason
  for tool in iptables ip6tables; do
    [ $tool = iptables ] || grep -qs . /proc/net/if_inet6 || continue # its size is none
    rules=$(hold_rules $tool) && [ -n "$rules" ] || continue # nothing is taken, or the environment is gone
    reason=$(printf '%s\n' "$rules" | $tool-restore --noflush --wait 5 2>&1) ||
      say start "new connections can't be held back during the restart: $reason"
  done
}

# `hold_rules TOOL`: for its `-restore`. raw comes first, before connections are tracked.
hold_rules() (
  local port file range expiry ports ranges
  # shellcheck source=/dev/null # in a subshell: it is the sidecar's environment
  for file in "$ENV_DIR/sidecar.env" "$ENV_DIR/cluster.env"; do [ ! -e "$file" ] || . "$file"; done
  ports=$(now_and_then "${ISTIO_INBOUND_PORTS:-}" inbound_ports)
  ranges=$(now_and_then "${ISTIO_SERVICE_CIDR:-}" outgoing_ranges)
  [ -n "$ports$ranges" ] || return 0
  expiry="-m time --datestart $(date -u -d "@$(($(date +%s) + HOLD_SECONDS))" +%FT%T) -j RETURN"
  printf '*raw\n:%s - [0:0]\n:%s - [0:0]\n-I %s\n-I %s\n' \
    "$HOLD_CHAIN" "$HOLD_OUT_CHAIN" "$HOLD_JUMP" "$HOLD_OUT_JUMP"
  rule() { echo "-A $HOLD_CHAIN $*"; }
  rule "$expiry"
  for port in $SSH_PORT $(echo "${ISTIO_LOCAL_EXCLUDE_PORTS:-}" | tr , ' '); do
    rule -p tcp --dport "$port" -j RETURN
  done
  case $ports in
    *'*'*) rule -j DROP ;;
    *) for port in $ports; do rule -p tcp --dport "$port" -j DROP; done ;;
  esac
  rule() { echo "-A $HOLD_OUT_CHAIN $*"; }
  rule "$expiry"
  rule -m owner --uid-owner "$(id -u istio-proxy)" -j RETURN # the agent's own, to istiod
  case $ranges in
    # Of everything, but not what sudo may need to start the sidecar, such as a directory's accounts.
    *'*'*) rule -m owner ! --uid-owner 0 -j DROP ;;
    *)
      for range in $ranges; do
        case $1$range in iptables*:* | ip6tables*.*) ;; *) rule -d "$range" -j DROP ;; esac
      done
      ;;
  esac
  echo COMMIT
)

# `now_and_then LIST COMMAND`: what is taken now, by the environment, what shall be, and what was confirmed last: it may be
# about to come back.
now_and_then() {
  {
    echo "$1"
    "$2"
    STATE=$(cat "$HOME_DIR/state" 2>/dev/null || :)
    "$2"
  } | tr -s ',\n' '\n' | sed '/^$/d' | sort -u
}

# Lets new connections through again. If that is refused, as when hold was, nothing is held either after HOLD_SECONDS.
release() {
  local tool
  [ -e "$RESTARTING" ] || return 0
  for tool in iptables ip6tables; do
    # Each by itself: of an earlier version of this script there may be the first alone.
    printf '*raw\n-D %s\n-F %s\n-X %s\nCOMMIT\n' "$HOLD_JUMP" $HOLD_CHAIN $HOLD_CHAIN |
      $tool-restore --noflush --wait 5 2>/dev/null || :
    printf '*raw\n-D %s\n-F %s\n-X %s\nCOMMIT\n' "$HOLD_OUT_JUMP" $HOLD_OUT_CHAIN $HOLD_OUT_CHAIN |
      $tool-restore --noflush --wait 5 2>/dev/null || :
  done
}

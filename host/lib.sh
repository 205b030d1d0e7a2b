# Shared by all actions. Sourced by istio-vm, which sets STATE, HOST and SSH_PORT.
# shellcheck shell=sh

# Ours alone, mode 0700:
#   record/    the host before the first join (record.sh); there only when it is complete, and the last to go
#   joining    the STATE that join is working on; gone when it has ended well
#   state      the STATE that was joined and confirmed last
#   previous/  the files of that state, while another is tried
#   awaiting   the digest of the STATE that waits for a fresh SSH session to confirm it, and whose connections were there
#   ssh-port   the port of the SSH server, as the last join's session saw it
#   sent       which files came along with the bundle last;  package  the digest of the package that was installed
#   rules-env/ the environment that made the rules of iptables
HOME_DIR=/var/lib/istio-vm
RECORD=$HOME_DIR/record
# The same until the host is switched off, and only while something is at work: bundles, the lock, and what it has come to.
RUN_DIR=/run/istio-vm
CONFIRMED=$RUN_DIR/confirmed
# Why a session that was had did not confirm the change.
REFUSED=$RUN_DIR/refused
# There from the moment when the sidecar is disturbed, or must be, until the new one is ready.
RESTARTING=$RUN_DIR/restarting
# The agent writes into this and ENV_DIR.
CERTS=/etc/certs
# What was sent for the host to prove who it is, as long as it is good for.
IDENTITY=/var/lib/istio/identity
ENV_DIR=/var/lib/istio/envoy
# Of a host that was adopted (adopt.sh): whether its own sidecar was `ready`, `running` or `stopped`.
ADOPTED=$RECORD/adopted
READY_SECONDS=90
LOCK_SECONDS=300

# One change at a time, whoever asks for it, by a lock that only root can have: on the folder, which may have been removed
# by whoever had it before. What was brought to sessions that were killed goes: nobody is there for it, and no join uses it.
LOCKED=''
lock() {
  local bundle tries
  tries=0
  until [ "$(stat -c %i "$RUN_DIR" 2>/dev/null)" = "$(stat -Lc %i /proc/$$/fd/9 2>/dev/null || echo none)" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || fail "can't have a lock on $RUN_DIR: ls -ld $RUN_DIR"
    mkdir -m 0700 "$RUN_DIR" 2>/dev/null || : # it is there; or whoever had it removes it just now
    { command exec 9<"$RUN_DIR"; } 2>/dev/null || continue
    flock -w "$LOCK_SECONDS" 9 || fail "another istio-vm has been at work here for 5 minutes: ps ax | grep istio-vm"
  done
  LOCKED=yes
  for bundle in "$RUN_DIR"/bundle.*; do
    if [ "$bundle" = "$here" ] || [ ! -d "$bundle" ]; then continue; fi
    if unlocked "$bundle" && { [ ! -e "$bundle/taken" ] || unlocked "$bundle/taken"; }; then rm -rf "$bundle"; fi
  done
}

# `unlocked PATH`: whether it is there, and nobody has a lock on it. (By its name, flock would make what is not there.)
unlocked() {
  { command exec 6<"$1"; } 2>/dev/null || return 1
  if flock -n 6; then exec 6<&-; else exec 6<&- && return 1; fi
}

# The end of whoever has the lock: what was brought for it goes, and the folder, unless somebody else is there.
unlock() {
  [ ! -e "$here/taken" ] || rm -rf "$here"
  [ -z "$LOCKED" ] || rmdir "$RUN_DIR" 2>/dev/null || :
}

# One line of progress: `say PHASE WORDS...`. A connection that is gone does not matter.
say() {
  local phase
  phase=$1
  shift
  printf '%s: %-8s %s\n' "$HOST" "$phase" "$*" 2>/dev/null || :
}

# Ends with a reason. The EXIT trap undoes what was begun: also where this is a subshell, which `exit` alone would end.
fail() {
  printf '%s: %s\n' "$HOST" "$*" >&2 || :
  # shellcheck disable=SC2016 # sh expands it
  sh -c '[ "$PPID" = "$1" ] || kill -TERM "$1"' fail $$
  exit 3
}

# `fact KEY`: the value of the first line of STATE that begins with KEY; `facts KEY`: those of all of them.
facts() { printf '%s\n' "$STATE" | sed -n "s/^$1 //p"; }
fact() { printf '%s\n' "$STATE" | sed -n "/^$1 /{ s///p; q; }"; }

# What of this host's traffic goes through the sidecar: TCP ports with commas between, or `*`; ranges likewise.
inbound_ports() { facts cluster.env | sed -n 's/^ISTIO_INBOUND_PORTS=//p'; }
outgoing_ranges() { facts cluster.env | sed -n 's/^ISTIO_SERVICE_CIDR=//p'; }

# At which the mesh reaches this host.
own_address() { facts sidecar.env | sed -n 's/^ISTIO_SVC_IP=//p'; }

# Where istiod is: the port, the name by which it proves itself, and addresses, or one name to dial it by.
istiod_port() { fact istiod | cut -d ' ' -f 1; }
istiod_name() { fact istiod | cut -d ' ' -f 2; }
istiod_addresses() { fact istiod | cut -d ' ' -f 3-; }

# The STATE that join is working on, or of the last one.
last_state() { cat "$HOME_DIR/joining" 2>/dev/null || cat "$HOME_DIR/state" 2>/dev/null || :; }

# Whether this host's own mesh is taken over. What was stays so, whatever the configuration says later.
adopting() { [ -n "$(fact adopt)" ] || [ -e "$ADOPTED" ]; }

# Seconds since the host was switched on, into UPTIME: the time of day may be set while something is waited for.
uptime_now() {
  read -r UPTIME _ </proc/uptime
  UPTIME=${UPTIME%%.*}
}

# `await SECONDS COMMAND...`: runs COMMAND until it succeeds, for at most so long.
await() {
  local deadline
  uptime_now
  deadline=$((UPTIME + $1))
  shift
  until "$@"; do
    uptime_now
    [ "$UPTIME" -lt "$deadline" ] || return 1
    sleep 0.3
  done
}

# For `bash -c`, which is there, for istio-start.sh needs it: a connection to port $1 of the sidecar's own, as 3. On a host
# that is in the mesh by IPv6, some of these it has there alone.
# shellcheck disable=SC2016 # bash expands it
CONNECT='for own in 127.0.0.1 ::1; do exec 3<>"/dev/tcp/$own/$1" && break; done &&'

# `ask METHOD PORT PATH`: whether the sidecar answers with status 200.
ask() {
  # shellcheck disable=SC2016
  timeout 3 bash -c "$CONNECT"'
    printf "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" "$0" "$2" >&3 &&
    head -n 1 <&3' "$@" 2>/dev/null | grep -q ' 200 '
}

# Whether the agent says that Envoy runs with a configuration from istiod.
ready() { ask GET 15021 /healthz/ready; }

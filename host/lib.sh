# Shared by all actions. Sourced by istio-vm, which sets STATE, HOST and SSH_PORT.
# shellcheck shell=sh

# Ours alone, mode 0700:
#   record/    the host before the first join (record.sh); there only when it is complete
#   joining    the STATE that join is working on; gone when it has ended well
#   state      the STATE that was joined and confirmed last
#   previous/  the files of that state, while another is tried
#   awaiting   the digest of the STATE that waits for a fresh SSH session to confirm it
#   ssh-port   the port of the SSH server, as the last join's session saw it
#   sent       which files came along with the bundle last;  package  the digest of the package that was installed
HOME_DIR=/var/lib/istio-vm
RECORD=$HOME_DIR/record
# The agent writes into both.
CERTS=/etc/certs
ENV_DIR=/var/lib/istio/envoy
ISTIOD_NAME=istiod.istio-system.svc
CONFIRMED=/run/istio-vm.confirmed
READY_SECONDS=90

# One change at a time, whoever asks for it. Bundles of sessions that were killed go: nobody has a lock on them.
lock() {
  local bundle
  exec 9</run # a folder can be locked as well, and nothing is left of it
  flock -w 300 9 || fail "another istio-vm has been at work here for 5 minutes: ps ax | grep istio-vm"
  for bundle in /run/istio-vm.??????; do
    [ "$bundle" = "$here" ] || [ ! -d "$bundle" ] || flock -n "$bundle" rm -rf "$bundle" || :
  done
}

# One line of progress: `say PHASE WORDS...`. A connection that is gone does not matter.
say() {
  local phase
  phase=$1
  shift
  printf '%s: %-8s %s\n' "$HOST" "$phase" "$*" 2>/dev/null || :
}

# Ends with a reason. The EXIT trap undoes what was begun.
fail() {
  printf '%s: %s\n' "$HOST" "$*" >&2 || :
  exit 3
}

# `fact KEY`: the value of the first line of STATE that begins with KEY; `facts KEY`: those of all of them.
facts() { printf '%s\n' "$STATE" | sed -n "s/^$1 //p"; }
fact() { printf '%s\n' "$STATE" | sed -n "/^$1 /{ s///p; q; }"; }

# `await SECONDS COMMAND...`: runs COMMAND until it succeeds, for at most so long.
await() {
  local deadline
  deadline=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.3
  done
}

# `ask METHOD PORT PATH`: whether the sidecar answers with status 200. bash is there: istio-start.sh needs it.
ask() {
  # shellcheck disable=SC2016 # bash expands it
  timeout 3 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
    printf "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" "$0" "$2" >&3 &&
    head -n 1 <&3' "$@" 2>/dev/null | grep -q ' 200 '
}

# Whether the agent says that Envoy runs with a configuration from istiod.
ready() { ask GET 15021 /healthz/ready; }

IPTABLES_TOOLS="iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy"

# `iptables_tables TOOL`: the tables that TOOL (iptables-nft, ip6tables-legacy, ...) has, a line each. A legacy tool
# makes a table by looking at it, so it only looks if the kernel has some already.
iptables_tables() {
  command -v "$1-save" >/dev/null || return 0
  case $1 in
    iptables-legacy) cat /proc/net/ip_tables_names 2>/dev/null || : ;;
    ip6tables-legacy) cat /proc/net/ip6_tables_names 2>/dev/null || : ;;
    *) "$1-save" 2>/dev/null | sed -n 's/^\*//p' ;;
  esac
}

# Rules and chains of Istio in any kind of iptables; nothing when there are none.
istio_rules() {
  local tool table
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables $tool); do
      $tool-save -t "$table" 2>/dev/null | grep ISTIO || :
    done
  done
}

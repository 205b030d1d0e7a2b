# Shared by all actions. Sourced by istio-vm, which sets STATE, HOST and SSH_PORT.
# shellcheck shell=sh

# Ours alone, mode 0700:
#   record/    the host before the first join; there only when it is complete
#   joining    the STATE that join is working on; gone when it has ended well
#   state      the STATE that was joined and confirmed last
#   previous/  the files of that state, while another is tried
#   awaiting   the digest of the STATE that waits for a fresh SSH session to confirm it
#   attended   there once somebody was here who would confirm it
#   ssh-port   the port of the SSH server, as the last join's session saw it
#   sent       which certificates were sent last;  package  the digest of the package that was installed
HOME_DIR=/var/lib/istio-vm
RECORD=$HOME_DIR/record
CERTS=/etc/certs
ENV_DIR=/var/lib/istio/envoy
ISTIOD_NAME=istiod.istio-system.svc
BEGIN='# BEGIN istio-vm (managed by pulumi-istio-vm)'
END='# END istio-vm'
CONFIRMED=/run/istio-vm.confirmed
READY_SECONDS=90

# One change at a time, whoever asks for it. Then nobody else's bundle can be in use: one that was killed left it.
lock() {
  exec 9</run # a folder can be locked as well, and nothing is left of it
  flock -w 300 9 || fail "another istio-vm has been at work here for 5 minutes: ps ax | grep istio-vm"
  for bundle in /run/istio-vm.??????; do
    [ "$bundle" = "$here" ] || [ ! -d "$bundle" ] || rm -rf "$bundle"
  done
}

# One line of progress: `say PHASE WORDS...`. A connection that is gone does not matter.
say() {
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

# As dpkg calls it: installed, half-installed, ...; nothing, if it never heard of the package.
package_status() { dpkg-query -W -f='${db:Status-Status}' istio-sidecar 2>/dev/null || :; }

installed_version() {
  dpkg-query -W -f='${db:Status-Status} ${Version}\n' istio-sidecar 2>/dev/null | sed -n 's/^installed //p'
}

# `replace PATH MODE OWNER < CONTENT`: by rename, and only if something differs. Succeeds if it changed the content.
replace() {
  new=$(mktemp "$1.istio-vm.XXXXXX")
  if ! { cat >"$new" && chmod "$2" "$new" && chown "$3" "$new"; }; then
    rm -f "$new"
    fail "can't write $1: is the disk full?"
  fi
  if cmp -s "$new" "$1"; then
    rm -f "$new"
    chmod "$2" "$1"
    chown "$3" "$1"
    return 1
  fi
  mv -f "$new" "$1"
}

# /etc/hosts without our block; a last line that is not ended gets its line break. Of a block of which somebody removed
# the end, only what join wrote goes: what follows may be the operator's.
foreign_hosts() {
  awk -v begin="$BEGIN" -v end="$END" -v name="$ISTIOD_NAME" '
    function keep() { printf "%s", inside; inside = ""; open = 0 }
    $0 == begin { keep(); open = 1; next }
    $0 == end { inside = ""; open = 0; next }
    open && NF == 2 && $2 == name { next }
    open { inside = inside $0 "\n"; next }
    { print }
    END { keep() }' /etc/hosts
}

# The files that STATE wants, as they shall be.
wanted_hosts() {
  foreign_hosts
  echo "$BEGIN"
  fact hosts
  echo "$END"
}

# With the port of this SSH session kept out of interception even where NAT hides it from the configuration.
wanted_cluster_env() {
  facts cluster.env | awk -v port="$SSH_PORT" '
    /^ISTIO_LOCAL_EXCLUDE_PORTS=/ && port != "" && ("," substr($0, index($0, "=") + 1) ",") !~ ("," port ",") { $0 = $0 "," port }
    { print }'
}

wanted_sidecar_env() { facts sidecar.env; }

# Of which only the digests are in STATE.
wanted_certificates() { facts file; }

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
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables $tool); do
      $tool-save -t "$table" 2>/dev/null | grep ISTIO || :
    done
  done
}

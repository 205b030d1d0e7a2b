# Phase 1 of join: everything that would make it fail, found before anything is changed, and all of it at once.
# shellcheck shell=sh

# shellcheck source-path=SCRIPTDIR source=writable.sh
. "$here/writable.sh"
# shellcheck source-path=SCRIPTDIR source=hosts.sh
. "$here/hosts.sh"
# shellcheck source-path=SCRIPTDIR source=firewall.sh
. "$here/firewall.sh"
# shellcheck source-path=SCRIPTDIR source=containers.sh
. "$here/containers.sh"

SIDECAR_PORTS="15000 15001 15004 15006 15020 15021 15053 15090"
MAX_SKEW_WAIT=60 # seconds of a clock that is behind which are waited out

check() {
  FINDINGS=''
  check_host
  check_clock
  check_istiod
  [ -z "$FINDINGS" ] || fail "can't join the mesh; nothing was changed:$FINDINGS"
  say check "ok: $(os_name), istiod answers at $REACHED"
}

# What doctor asks for as well (inspect.sh).
check_host() {
  check_owner
  check_system
  check_package
  check_sudo
  check_space
  check_writable
  check_folders
  check_ports
  check_firewall
  check_published
  check_hosts_file
  check_families
  check_dns
}

# `finding CODE WORDS...`: the codes are those of docs/checks.md.
finding() {
  FINDINGS="$FINDINGS
  - $*"
}

os_name() { sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release; }

check_owner() {
  local owner traces
  if [ -d "$RECORD" ]; then
    owner=$(cat "$RECORD/owner")
    [ "$owner" = "$(fact owner)" ] ||
      finding IVM701 "it is joined already, by the stack with owner mark $owner: destroy that stack, or remove the host from it"
  elif traces=$(joined_without_record) && [ -n "$traces" ]; then
    finding IVM729 "it was joined by this program ($traces), but the record of what it was before is gone: give it back by hand first (docs/host.md)"
  elif systemctl is-active --quiet istio.service 2>/dev/null; then
    adopting || finding IVM702 "an Istio sidecar that this program did not start is running: stop and disable istio.service first, or set adopt: true on the host, and it is taken over (docs/host.md)"
  elif [ -n "$(istio_rules)" ]; then
    finding IVM703 "it has iptables rules of an Istio sidecar that is gone: remove its chains ($(istio_rules | grep -o 'ISTIO_[A-Z0-9_]*' | sort -u | tr '\n' ' ')) and the jumps to them, and no other rule"
  fi
}

check_system() {
  local missing tool reason
  case $(architecture) in
    amd64 | arm64) ;;
    *) finding IVM704 "its architecture is $(architecture): Istio's sidecar needs x86_64 or aarch64" ;;
  esac
  [ -d /run/systemd/system ] || finding IVM705 "it was not booted by systemd, which runs the sidecar"
  command -v dpkg >/dev/null || command -v rpm >/dev/null ||
    finding IVM706 "it has neither dpkg nor rpm: only Debian, Ubuntu, and what has rpm with dnf or yum, are supported"
  getconf GNU_LIBC_VERSION >/dev/null 2>&1 || finding IVM707 "its C library is not glibc, which Envoy needs"
  missing=''
  for tool in bash ip iptables sudo hostname flock; do
    command -v $tool >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] || finding IVM708 "it lacks$missing: $PACKAGE_GET (the sidecar's own istio-start.sh runs all but the last)"
  if command -v iptables >/dev/null && ! reason=$(iptables -t nat -S 2>&1 >/dev/null); then
    finding IVM710 "iptables can't reach the kernel's nat table: $reason"
  fi
  getent hosts "$(hostname)" >/dev/null || getent hosts localhost >/dev/null ||
    finding IVM711 "it can't resolve even its own name: check /etc/hosts and /etc/nsswitch.conf"
}

# Of a proxy with both families, Envoy listens by IPv4 alone unless istiod is told to serve both, and the agent waits for it by
# that of the proxy's address.
check_families() {
  local other
  case $(own_address) in *:*) ;; *) return 0 ;; esac
  [ -n "$(fact istiod)" ] || return 0 # nor is it known yet what it does
  ! facts cluster.env | grep -qx ISTIO_DUAL_STACK=true || return 0
  other=$(ip -4 -oneline address show up scope global 2>/dev/null | awk '{ printf "%s%s of %s", comma, $4, $2; comma = ", " }')
  [ -z "$other" ] ||
    finding IVM732 "its address in the mesh is IPv6, $(own_address), and it has IPv4 as well ($other): istiod must serve both (ISTIO_DUAL_STACK), or the sidecar would listen by IPv4 alone; or give the host's IPv4 address"
}

# Names are looked up at port 53 of a name server, or nobody can lead them to the sidecar.
check_dns() {
  local by
  has_dns || return 0
  [ -n "$(name_servers)" ] || finding IVM744 "dns is true, but /etc/resolv.conf has no nameserver line: programs ask nobody who could be the sidecar instead"
  by=$(awk '$1 == "hosts:" { for (i = 2; i <= NF && $i != "dns"; i++) if ($i == "resolve") print $i }' /etc/nsswitch.conf 2>/dev/null)
  if [ -n "$by" ] && resolved_listens; then
    finding IVM743 "dns is true, but programs ask systemd-resolved itself for names, past port 53, where the sidecar listens: in the line hosts of /etc/nsswitch.conf, put dns in place of resolve and what belongs to it in brackets"
  fi
}

resolved_listens() { [ -S /run/systemd/resolve/io.systemd.Resolve ]; }

# What istio-start.sh does, as systemd has it do it: without a terminal, and with an environment that shall be kept.
check_sudo() {
  local user reason
  command -v sudo >/dev/null && command -v setsid >/dev/null && command -v bash >/dev/null || return 0
  user=istio-proxy
  getent passwd istio-proxy >/dev/null || user=nobody
  ! reason=$(env -i "PATH=$PATH" setsid --wait sudo -n -E -u $user -s /bin/bash -c true 2>&1 </dev/null) || return 0
  # It may be allowed for the user that is not there yet alone.
  [ $user = istio-proxy ] || ! sudo -n -l -U root 2>/dev/null | grep -q 'istio-proxy.*ALL$' || return 0
  finding IVM728 "root can't start the sidecar as istio-proxy by sudo, as istio-start.sh does ($reason): printf '%s\\n' 'root ALL=(ALL:ALL) NOPASSWD:SETENV: ALL' 'Defaults:root !requiretty' >/etc/sudoers.d/zz-istio-vm"
}

check_ports() {
  local inbound port listening taken
  inbound=$(inbound_ports)
  case ",$inbound," in
    *",$SSH_PORT,"*) [ -z "$SSH_PORT" ] ||
      finding IVM713 "inboundPorts has $SSH_PORT, the port of this very SSH session: it would lock you out" ;;
  esac
  listening=" $(ss -Hltn 2>/dev/null | awk '{ sub(/.*:/, "", $4); printf "%s ", $4 }')"
  check_ssh_ports "$inbound" "$listening"
  [ ! -d "$RECORD" ] || return 0 # then they are taken by the sidecar itself
  # Whose they are takes longer to find out than which.
  for port in $SIDECAR_PORTS; do
    case $listening in *" $port "*) ;; *) continue ;; esac
    taken=$(ss -Hltnp "sport = :$port" 2>/dev/null | awk 'NR == 1 { print $4, $6 }')
    case $taken in *'"pilot-agent"'* | *'"envoy"'*) ! adopts_sidecar || continue ;; esac
    [ -z "$taken" ] || finding IVM714 "port $port, which the sidecar needs, is taken: $taken"
  done
}

# `check_ssh_ports INBOUND LISTENING`: an SSH server may have other ports than the one that this session came in by.
check_ssh_ports() {
  local excluded port server
  excluded=",$SSH_PORT,"
  [ "$1" != '*' ] || excluded="$excluded$(facts cluster.env | sed -n 's/^ISTIO_LOCAL_EXCLUDE_PORTS=//p'),"
  while read -r port server; do
    case $excluded in *",$port,"*) continue ;; esac
    [ -z "$port" ] ||
      finding IVM713 "inboundPorts takes in port $port, on which $server listens for SSH: it would lock out whoever comes in there: take it off, or list the ports instead of \"*\""
  done <<EOF
$(ssh_servers "$1" "$2" | sort -u)
EOF
}

# `ssh_servers INBOUND LISTENING`: port and program of the SSH servers that listen on an inbound port for others than the
# host itself.
ssh_servers() {
  local port name pid any
  # Whose a port is takes longer to find out than whether it is one.
  any=''
  case $1 in
    '*') any=yes ;;
    *) for port in $(printf '%s' "$1" | tr , ' '); do case $2 in *" $port "*) any=yes ;; esac; done ;;
  esac
  [ -n "$any" ] || return 0
  ss -Hltnp 2>/dev/null | awk -v inbound=",$1," '
    $4 ~ /^(127\.|\[::1\])/ { next }
    { port = $4; sub(/.*:/, "", port) }
    inbound != ",*," && !index(inbound, "," port ",") { next }
    match($0, /"[^"]*(sshd|dropbear|systemd)[^"]*",pid=[0-9]+/) {
      owner = substr($0, RSTART + 1, RLENGTH - 1); sub(/",pid=/, " ", owner); print port, owner
    }' | while read -r port name pid; do
    case $name in
      # A session listens for what is forwarded through it (ssh -R).
      sshd) ! { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q '^sshd: .*@' || continue ;;
      systemd) systemctl list-sockets --plain --no-legend 2>/dev/null | grep -q ":$port .*\(ssh\|dropbear\)" || continue ;;
    esac
    echo "$port $name"
  done
}

# A certificate that is not valid yet refuses every connection, and the reason is hard to see from there. One that istiod
# makes is dated two minutes back.
check_clock() {
  local theirs ours problem begin end behind
  if read -r theirs ours 2>/dev/null <"$here/clocks" && problem=$(skewed "$theirs" "$ours"); then
    finding IVM503 "$problem"
    return
  fi
  begin=$(fact not-before) end=$(fact not-after)
  [ -n "$begin" ] || return 0
  behind=$((${begin%% *} - $(date +%s)))
  if [ "$behind" -gt "$MAX_SKEW_WAIT" ]; then
    finding IVM504 "its clock says $(date -u +%FT%TZ), which is before its certificate begins to be valid, ${begin#* }: set the clock (timedatectl set-ntp true)"
  elif [ "$behind" -gt 0 ]; then
    say check "the clock is $behind s behind the certificate's beginning: waiting"
    sleep "$behind"
  elif [ "$(date +%s)" -ge "${end%% *}" ]; then
    finding IVM505 "its clock says $(date -u +%FT%TZ), but its certificate ended ${end#* }: set the clock, or renew by pulumi up"
  fi
}

# `skewed THEIRS OURS`: whether the clocks of the computer where pulumi runs and of this host differ too much; says it then.
skewed() {
  local skew
  skew=$(($2 - $1))
  [ "${skew#-}" -gt "$MAX_SKEW" ] || return 1
  echo "its clock says $(utc "$2"), that of the computer where pulumi runs says $(utc "$1"): certificates would be refused here, or end too early; set the one that is wrong (timedatectl set-ntp true)"
}

# TCP first, then TLS as the sidecar will do it, if there is an openssl to do it with.
check_istiod() {
  local address port name identity answer
  port=$(istiod_port) name=$(istiod_name)
  REACHED=''
  for address in $(istiod_addresses); do
    # shellcheck disable=SC2016 # bash expands it
    if timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>/dev/null; then
      case $address in *:*) address="[$address]" ;; esac
      REACHED=$address:$port
      break
    fi
  done
  if [ -z "$REACHED" ]; then
    finding IVM604 "it can't reach istiod at $(istiod_addresses), port $port, over TCP: check routes, firewalls, DNS and the address that exposure names"
    return
  fi
  if ! command -v openssl >/dev/null || [ ! -s "$here/root-cert.pem" ]; then return 0; fi
  identity=''
  [ ! -s "$here/key.pem" ] || identity="-cert $here/cert-chain.pem -cert_chain $here/cert-chain.pem -key $here/key.pem"
  # shellcheck disable=SC2086 # options, paths without blanks
  if ! answer=$(timeout 10 openssl s_client -connect "$REACHED" -servername "$name" -verify_hostname "$name" \
    -verify_return_error -CAfile "$here/root-cert.pem" $identity </dev/null 2>&1); then
    finding IVM605 "istiod at $REACHED does not prove to be of this mesh: $(printf '%s\n' "$answer" | grep -im 1 error)"
  fi
}

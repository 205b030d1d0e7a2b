# Whether the host's own firewall lets through what the sidecar lives on. Once it runs, a connection to an inbound port is
# redirected to 15006 before those chains see it that filter what comes in, and one that the host opens to the mesh to 15001.
# shellcheck shell=sh

# shellcheck source-path=SCRIPTDIR source=rulesets.sh
. "$here/rulesets.sh"

# Where networks meet (mesh/exposure.ts).
CROSS_NETWORK_PORT=15443

check_firewall() {
  local address refused
  address=$(own_address)
  [ -n "$address" ] || return 0
  # shellcheck disable=SC2046 # two words
  refused=$(rule_sets $(tools_here) | surely_refused "$(sidecar_packets)" "$address")
  [ -z "$refused" ] || report_refused "$refused"
}

# All rules that the kernel has, as surely_refused reads them.
rule_sets() {
  local tool table
  for tool in "$@"; do
    command -v "$tool-save" >/dev/null || continue
    echo "@ $tool"
    case $tool in
      *-nft) "$tool-save" 2>/dev/null || : ;;
      *) for table in $(iptables_tables "$tool"); do "$tool-save" -t "$table" 2>/dev/null || :; done ;;
    esac
  done
  if command -v nft >/dev/null; then
    echo "@ nft"
    nft -s list ruleset 2>/dev/null || :
  fi
}

# The connections that must get through, for surely_refused: from pods to each inbound port, from the sidecar to the
# application, from the host to the mesh, and from other networks to a gateway.
sidecar_packets() {
  local port
  inbound_ports | tr , '\n' | while read -r port; do
    [ -n "$port" ] || continue
    echo "pods prerouting $port $port 0 0"
    echo "sidecar prerouting 15006 $port 1 0"
    echo "sidecar input 15006 $port 1 0"
    echo "lo-in input $port $port 0 2"
    echo "lo-out output $port $port 0 2"
  done
  # What comes to a gateway is not redirected: its Envoy listens there.
  if facts sidecar.env | grep -qx ISTIO_AGENT_FLAGS=router; then
    echo "gateway prerouting $CROSS_NETWORK_PORT $CROSS_NETWORK_PORT 0 0"
    echo "gateway input $CROSS_NETWORK_PORT $CROSS_NETWORK_PORT 0 0"
  fi
  [ -n "$(outgoing_ranges)" ] || return 0
  echo "lo-in input 15001 15001 1 1"
  echo "mesh output 15001 15001 1 1"
}

# `report_refused LINES`: what surely_refused says, and what lets it through, in the words of the tool that made the rule.
report_refused() {
  local kind ports tool table chain rule what match words ufw allow
  while IFS='|' read -r kind ports tool table chain rule; do
    ufw=''
    case $kind in
      sidecar)
        what="connections to inbound port $ports come in at port 15006 once the sidecar runs, and its firewall refuses them there"
        match='-p tcp --dport 15006' words='tcp dport 15006' ufw='allow 15006/tcp'
        ;;
      mesh)
        what="its own connections to the mesh go to port 15001 once the sidecar runs, and its firewall refuses them there"
        match='-p tcp --dport 15001' words='tcp dport 15001' ufw='allow out 15001/tcp'
        ;;
      gateway)
        what="its firewall refuses connections to port $ports, to which other networks come"
        match="-p tcp --dport $ports" words="tcp dport $ports" ufw="allow $ports/tcp"
        ;;
      pods)
        what="its firewall refuses connections to inbound port $ports"
        match="-p tcp -m multiport --dports $ports" words="tcp dport { $ports }"
        if [ "$ports" = '*' ]; then match='-p tcp' words='meta l4proto tcp'; fi
        ;;
      lo-*)
        what="its firewall refuses connections from the host to itself, by which the sidecar reaches the application"
        match='-i lo' words='iifname lo'
        if [ "$kind" = lo-out ]; then match='-o lo' words='oifname lo'; fi
        ;;
    esac
    case $tool in
      nft) allow="nft insert rule $table $chain $words accept" ;;
      *)
        allow="$tool -t $table -I $chain $match -j ACCEPT"
        [ -z "$ufw" ] || ! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || allow="ufw $ufw"
        ;;
    esac
    case $allow in ufw*) ;; *) allow="$allow, and the same where its rules are kept" ;; esac
    case $kind$ports in
      'sidecar*') allow="$allow; as inboundPorts is \"*\", that opens every port but SSH's to those whom it lets in: docs/host.md tells how to open some" ;;
    esac
    finding IVM718 "$what ($tool, table $table, chain $chain: $rule): $allow"
  done <<EOF
$1
EOF
}

# Containers on the host (Docker, Podman, nerdctl): what they publish goes past the sidecar, and so does what they send.
# shellcheck shell=sh

# Names that the engines give to their bridges.
CONTAINER_BRIDGES='docker[0-9]+|br-[0-9a-f]{12}|podman[0-9]+|cni-podman[0-9]+|nerdctl[0-9]+'

# An inbound port that is sent on to a container. The engine's rules come before the sidecar's, whichever start it is: those
# go behind whatever is there. Later on it is for doctor to say: a container must not be in the way of a new certificate.
check_published() {
  local inbound port tool rule
  [ "${action:-}" != join ] || [ ! -d "$RECORD" ] || return 0
  inbound=$(inbound_ports)
  [ "$inbound" != '*' ] || return 0 # then the sidecar has what is left
  while read -r port tool rule; do
    [ -n "$port" ] && port_among "$port" "$inbound" || continue
    finding IVM740 "inbound port $port is sent on to a container before the sidecar sees it, and clients of the mesh, which speak mutual TLS, are not understood there ($tool: $rule): run that container with the host's own network (--network host), publish another port, or take it off inboundPorts"
  done <<EOF
$(published_ports)
EOF
}

# `port_among RANGE LIST`: whether a port of a list with commas is that one, or in the range.
port_among() {
  local port
  for port in $(printf '%s' "$2" | tr , ' '); do
    [ "$port" -lt "${1%-*}" ] || [ "$port" -gt "${1#*-}" ] || return 0
  done
  return 1
}

# Which TCP ports of the host's own address are sent on to somewhere else: `PORT TOOL RULE`, each port once.
published_ports() {
  rule_sets iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy | published_in "$(own_address)"
}

# `published_in ADDRESS`: the same of rule sets on stdin, as rule_sets prints them.
published_in() {
  awk -v address="$1" '
    /^@ / { tool = $2; next }
    /^-A / && / -p tcp / && / -j DNAT( |$)/ {
      if (match($0, / -d [^ ]+/) && !own(substr($0, RSTART + 4, RLENGTH - 4))) next
      if (match($0, /[^!] --dports? [^ ]+/)) { ports = substr($0, RSTART, RLENGTH); sub(/.* /, "", ports); tell(ports) }
    }
    /^[ \t]/ && /[ \t]tcp dport .*[ \t]dnat (ip6? )?to / {
      if (match($0, /ip6? daddr [^ ]+/) && !own(substr($0, RSTART, RLENGTH))) next
      ports = $0
      sub(/.*[ \t]tcp dport /, "", ports)
      if (sub(/^[{] /, "", ports)) sub(/ [}].*/, "", ports); else sub(/ .*/, "", ports)
      tell(ports)
    }
    function own(destination) {
      sub(/.* /, "", destination); sub(/\/(32|128)$/, "", destination)
      return destination !~ /^(127\.|::1)/ && (destination == address || destination ~ /\// || address == "")
    }
    function tell(list,    port, n, i, rule) {
      rule = $0
      gsub(/^[ \t]+|counter packets [0-9]+ bytes [0-9]+ /, "", rule)
      n = split(list, port, /, ?/)
      for (i = 1; i <= n; i++) {
        sub(/:/, "-", port[i])
        if (port[i] ~ /^[0-9]+(-[0-9]+)?$/ && !(port[i] in told)) print port[i], tool, rule
        told[port[i]]
      }
    }'
}

# For doctor: the engines bridges that are there, and the ports.
containers() {
  ip -o link show type bridge 2>/dev/null | sed -nE "s/^[0-9]+: ($CONTAINER_BRIDGES)[:@].*/bridge \1/p"
  published_ports | awk '{ print "published", $1 }'
}

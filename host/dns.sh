# Names of the mesh on this host. What it asks of the name servers in /etc/resolv.conf is led to the DNS proxy of the
# sidecar's agent while that can answer, and only then: istio-vm-dns.service sees to it. Rules of Istio's own would be there
# whenever the unit is: without an agent, or before it has heard from istiod, the host would know no names at all.
# shellcheck shell=sh

DNS_UNIT=/etc/systemd/system/istio-vm-dns.service
DNS_CHAINS='DNS_TO_ISTIO(_ANSWERS)?'
DNS_PORT=15053
# Which start of the sidecar's unit it is, and the name servers that there were then.
DNS_SEEN=/run/istio-vm-dns/seen

has_dns() { has_file "$(facts file)" "$DNS_UNIT"; }

# Look-ups are led, or no more, as STATE has it. The sidecar is ready.
follow_dns() {
  if has_dns; then
    systemctl daemon-reload
    systemctl enable --quiet "${DNS_UNIT##*/}" 2>/dev/null
    systemctl restart "${DNS_UNIT##*/}" && await 20 leads_dns ||
      fail "look-ups of names are not led to the sidecar: journalctl -u ${DNS_UNIT##*/}"
  elif [ -e "$DNS_UNIT" ]; then
    end_dns
    give_back_file - "$DNS_UNIT" -
    systemctl daemon-reload
  fi
}

# Before the sidecar stops.
pause_dns() { [ ! -e "$DNS_UNIT" ] || systemctl stop "${DNS_UNIT##*/}" 2>/dev/null || :; }

# And not at boot either.
end_dns() {
  [ ! -e "$DNS_UNIT" ] || systemctl disable --quiet --now "${DNS_UNIT##*/}" 2>/dev/null || :
  dns_off
  [ -z "$(dns_rules)" ] || fail "look-ups of names can't be led back, remove these rules by hand:
$(dns_rules)"
}

leads_dns() { [ -n "$(dns_rules)" ]; }

dns_rules() { rules "$DNS_CHAINS"; }

# What istio-vm-dns.service runs, to its end.
lead_dns() {
  local led
  trap 'dns_off; exit 0' INT TERM
  dns_off
  led='' SAID=''
  while :; do
    if agent_listens && ready && asks_these_servers; then
      leads_dns || dns_on
      led=yes
      until_agent_ends
      agent_listens || dns_off
    else
      [ -z "$led" ] || dns_off
      led=''
      sleep 1
    fi
  done
}

# Whether the agent passes on what it does not know to the servers that there are: it asks those of when it started.
asks_these_servers() {
  local start servers
  start=$(systemctl show --property=InvocationID --value istio.service) servers=$(name_servers | tr '\n' ' ')
  grep -qs "^$start " "$DNS_SEEN" || echo "$start $servers" >"$DNS_SEEN"
  if [ "$(cat "$DNS_SEEN")" = "$start $servers" ]; then
    SAID=''
    return
  fi
  [ -n "$SAID" ] || echo "the name servers in /etc/resolv.conf have changed, and the sidecar still asks the earlier ones: names of the mesh are known again after systemctl restart istio"
  SAID=yes
  return 1
}

# Until its DNS proxy closes a connection, which it also does when nothing is asked; for 10 s at most.
until_agent_ends() {
  # shellcheck disable=SC2016 # bash expands it
  timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && read -r -u 3' "$(agent_address)" "$DNS_PORT" 2>/dev/null || :
}

agent_listens() {
  # shellcheck disable=SC2016
  timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$(agent_address)" "$DNS_PORT" 2>/dev/null
}

# It listens by IPv4 and IPv6 as the name servers have it.
agent_address() { if name_servers | grep -q '\.'; then echo 127.0.0.1; else echo ::1; fi; }

name_servers() { awk '$1 == "nameserver" { sub(/%.*/, "", $2); print $2 }' /etc/resolv.conf 2>/dev/null | awk '!seen[$0]++'; }

dns_on() {
  dns_on_by iptables "$(name_servers | grep '\.' || :)"
  dns_on_by ip6tables "$(name_servers | grep : || :)"
}

# `dns_on_by iptables|ip6tables SERVERS`
dns_on_by() {
  local tool
  [ -n "$2" ] || return 0
  tool=$(tool_of_istio "$1")
  dns_restore "$(istio_jump "$tool")" "$2" | "$tool-restore" --noflush --wait 5
}

# `tool_of_istio iptables|ip6tables`: of the two kinds, the one that Istio's own rules are in.
tool_of_istio() {
  local kind
  for kind in nft legacy; do
    if iptables_tables "$1-$kind" | grep -qx nat && [ -n "$(rules_of "$ISTIO_CHAINS" "$1-$kind" nat)" ]; then echo "$1-$kind" && return; fi
  done
  echo "$1"
}

# `istio_jump TOOL`: at which place of OUTPUT it is, or would be.
istio_jump() {
  "$1-save" -t nat 2>/dev/null | awk '
    $1 != "-A" || $2 != "OUTPUT" { next }
    / -j ISTIO_OUTPUT$/ { exit }
    { before++ }
    END { print before + 1 }'
}

# `dns_restore PLACE SERVERS`: for `iptables-restore`. What the agent asks and what it is asked are in zones of their own, as
# Istio has it: else a port that a program has just used leads the agent to itself (addDNSConntrackZones in
# tools/istio-iptables/pkg/capture/run.go).
dns_restore() {
  local by server protocol
  printf '*raw\n:DNS_TO_ISTIO - [0:0]\n:DNS_TO_ISTIO_ANSWERS - [0:0]\n'
  for by in "--uid-owner $(id -u istio-proxy)" "--gid-owner $(id -g istio-proxy)"; do
    echo "-A DNS_TO_ISTIO -p udp --dport 53 -m owner $by -j CT --zone 1"
    echo "-A DNS_TO_ISTIO -p udp --sport $DNS_PORT -m owner $by -j CT --zone 2"
  done
  for server in $2; do
    echo "-A DNS_TO_ISTIO -p udp --dport 53 -d $server -j CT --zone 2"
    echo "-A DNS_TO_ISTIO_ANSWERS -p udp --sport 53 -s $server -j CT --zone 1"
  done
  printf -- '-A OUTPUT -j DNS_TO_ISTIO\n-A PREROUTING -j DNS_TO_ISTIO_ANSWERS\nCOMMIT\n*nat\n:DNS_TO_ISTIO - [0:0]\n'
  for by in "--uid-owner $(id -u istio-proxy)" "--gid-owner $(id -g istio-proxy)"; do
    echo "-A DNS_TO_ISTIO -p tcp --dport 53 -m owner $by -j ACCEPT" # of the host's own server, Istio's rules would lead it to Envoy
    echo "-A DNS_TO_ISTIO -m owner $by -j RETURN"
  done
  for server in $2; do
    for protocol in udp tcp; do
      echo "-A DNS_TO_ISTIO -p $protocol --dport 53 -d $server -j REDIRECT --to-ports $DNS_PORT"
    done
  done
  printf -- '-I OUTPUT %s -j DNS_TO_ISTIO\nCOMMIT\n' "$1"
}

# Whatever ends first: nothing is asked by then, or it is asked again.
dns_off() { remove_chains "$DNS_CHAINS"; }

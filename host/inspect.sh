# What `istio-vm doctor` and `status` (cli/) ask a host for: facts, a line each, nothing secret. Nothing is changed. The
# format is read by diagnosis/inspection.ts.
# shellcheck shell=sh

# For status, again and again with --watch: what it shows, and nothing that costs.
glance() {
  local file
  echo "epoch $(date +%s.%N)"
  echo "sidecar $(package_version)"
  [ -d "$RECORD" ] || return 0
  STATE=$(last_state)
  echo "owner $(cat "$RECORD/owner")"
  echo "changed $(stat -c %Y "$HOME_DIR/state" 2>/dev/null)"
  in_touch
  for file in cert-chain root-cert; do
    [ -L "$CERTS/$file.pem" ] || [ ! -s "$CERTS/$file.pem" ] || echo "$file $(base64 -w0 "$CERTS/$file.pem")"
  done
  [ ! -s "$IDENTITY/cert-chain.pem" ] || echo "sent-chain $(base64 -w0 "$IDENTITY/cert-chain.pem")"
  (VERIFY=quick && status) | sed 's/^/status /'
}

# For doctor: also what would make a join fail.
inspect() {
  local wanted
  wanted=$STATE
  glance # first, for the time; it takes the STATE of the last join
  STATE=$wanted
  echo "os $(os_name)"
  echo "hostname $(hostname)"
  echo "machine $(cat /etc/machine-id 2>/dev/null)"
  # The clock of a container is the machine's below it.
  systemd-detect-virt --quiet --container || echo "ntp $(timedatectl show --property=NTPSynchronized --value 2>/dev/null)"
  [ -z "$(istiod_name)" ] || echo "resolves $(getent ahosts "$(istiod_name)" 2>/dev/null | awk 'NR == 1 { print $1 }')"
  awk '$1 == "nameserver" { print "nameserver", $2 }' /etc/resolv.conf 2>/dev/null || :
  ss -Hltn 2>/dev/null | awk '{ sub(/.*:/, "", $4); if (!seen[$4]++) print "listening", $4 }'
  package_busy | head -n 1 | sed 's/^/locked /'
  echo "takes $PACKAGE_FORMAT $(architecture)"
  package_reachable
  containers
  [ -d "$RECORD" ] || sockets # what a join would change
  [ -d "$RECORD" ] || ! adopts_sidecar || settings
  # What the checks of join find, on this host as it is now.
  FINDINGS=''
  check_host
  [ -z "$(fact istiod)" ] || check_istiod
  printf '%s\n' "$FINDINGS" | sed -n 's/^  - /finding /p'
}

# Whether the sidecar package could be fetched, if it comes from a URL: its first byte.
package_reachable() {
  local url code
  url=$(fitting_package | cut -d ' ' -f 2)
  case $url in http://* | https://*) ;; *) return 0 ;; esac
  if command -v curl >/dev/null; then
    # A server that knows no ranges would send all of it, and is not let.
    code=$(curl -sL --max-time 5 --range 0-0 --max-filesize 1 --output /dev/null --write-out '%{http_code}' "$url" || :)
    case $code in 2*) echo "package yes" ;; *) echo "package no" ;; esac
  elif command -v wget >/dev/null; then
    wget -q --timeout=5 --tries=1 --spider "$url" && echo "package yes" || echo "package no"
  fi
}

# Whether the agent has a connection to istiod now, and when (milliseconds) Envoy took its last configuration.
in_touch() {
  if ss -Htnp state established "dport = :$(istiod_port)" 2>/dev/null | grep -q pilot-agent; then
    echo "connected 1"
  else
    echo "connected 0"
  fi
  timeout 3 bash -c "$CONNECT"'
    printf "GET /stats?filter=listener_manager.lds.update_time HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3 && cat <&3' - 15000 2>/dev/null |
    tr -d '\r' | sed -n 's/^listener_manager.lds.update_time: /configured /p'
}

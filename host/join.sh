# Makes this host a workload of the mesh. Every phase looks at what is there and does only what is missing.
# shellcheck shell=sh

READY_SECONDS=90

join() {
  check
  if [ -d "$RECORD" ]; then FIRST=no; else FIRST=yes; fi
  PREVIOUS=$(mktemp "$here/previous.XXXXXX")
  trap undo EXIT
  record
  keep_previous
  CHANGED=''
  install_package
  write_files
  start
  trap - EXIT
  rm -f "$PREVIOUS"
  say joined "istio-sidecar $(installed_version), in sync with istiod"
}

# What a later join replaces, so that a failed one can put it back (in memory, with the key in it).
keep_previous() {
  [ "$FIRST" = no ] || return 0
  tar -C / --absolute-names --numeric-owner --ignore-failed-read -cpf "$PREVIOUS" \
    /etc/hosts "$CERTS" "$ENV_DIR/cluster.env" "$ENV_DIR/sidecar.env" "$HOME_DIR/sent" 2>/dev/null || :
}

# Runs when join ends early. A first join leaves nothing behind; a later one leaves the host as it ran before.
undo() {
  trap - EXIT
  set +e
  if [ "$FIRST" = yes ]; then
    say undo "the join failed: giving the host back as it was"
    give_back
  else
    say undo "the change failed: putting the earlier configuration back"
    tar -C / --absolute-names --numeric-owner -xpf "$PREVIOUS"
    systemctl restart istio.service
    await "$READY_SECONDS" ready || say undo "the sidecar is not ready with the earlier configuration either: see /var/log/istio"
  fi
  exit 3
}

install_package() {
  digest=$(fact package | cut -d ' ' -f 1) source=$(fact package | cut -d ' ' -f 2)
  if [ -n "$(installed_version)" ] && [ "$(cat "$HOME_DIR/package" 2>/dev/null)" = "$digest" ]; then
    say install "ok: istio-sidecar $(installed_version) is there"
    return
  fi
  deb=$HOME_DIR/istio-sidecar.deb
  case $source in
    http://* | https://*) fetch "$source" "$deb" || fail "can't fetch the sidecar package from $source" ;;
    *) cp "$source" "$deb" || fail "the sidecar package is not at $source" ;;
  esac
  actual=$(sha256sum "$deb" | cut -d ' ' -f 1)
  if [ "$actual" != "$digest" ]; then
    rm -f "$deb"
    fail "the sidecar package from $source has SHA-256 $actual, but sidecar.sha256 is $digest"
  fi
  chmod 0644 "$deb"
  # apt-get rather than dpkg: it waits for whoever holds the package manager's lock.
  log=$here/apt.log
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=120 \
    -o APT::Sandbox::User=root install --no-install-recommends --no-remove --reinstall --allow-downgrades "$deb" \
    >"$log" 2>&1 || fail "the sidecar package could not be installed:
$(tail -n 15 "$log")"
  rm -f "$deb"
  case $source in /var/tmp/*) rm -f "$source" ;; esac
  echo "$digest" >"$HOME_DIR/package"
  CHANGED="$CHANGED package"
  say install "ok: istio-sidecar $(installed_version)"
}

fetch() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 10 --max-time 600 -o "$2" "$1"
  else
    wget -q -T 10 -O "$2" "$1"
  fi
}

write_files() {
  install -d -o istio-proxy -g istio-proxy "$CERTS" "$ENV_DIR"
  write_certificates
  cluster_env | replace "$ENV_DIR/cluster.env" 0644 istio-proxy:istio-proxy && CHANGED="$CHANGED cluster.env"
  facts sidecar.env | replace "$ENV_DIR/sidecar.env" 0644 istio-proxy:istio-proxy && CHANGED="$CHANGED sidecar.env"
  write_hosts && CHANGED="$CHANGED hosts"
  mkdir -p "$HOME_DIR/bin"
  for file in istio-vm lib.sh check.sh record.sh join.sh leave.sh; do
    replace "$HOME_DIR/bin/$file" 0700 root:root <"$here/$file" || :
  done
  say write "ok:${CHANGED:- nothing to change}"
}

# The agent replaces these files by certificates of its own, so what lies there says nothing: they are written when
# others are to be sent than those sent last, when one is missing, or when the sidecar can't work with what it has.
write_certificates() {
  facts file >"$HOME_DIR/sent.new"
  if cmp -s "$HOME_DIR/sent.new" "$HOME_DIR/sent" && ready &&
    [ -e "$CERTS/root-cert.pem" ] && [ -e "$CERTS/cert-chain.pem" ] && [ -e "$CERTS/key.pem" ]; then
    rm -f "$HOME_DIR/sent.new"
    return
  fi
  replace "$CERTS/key.pem" 0600 istio-proxy:istio-proxy <"$here/key.pem" || :
  replace "$CERTS/cert-chain.pem" 0644 istio-proxy:istio-proxy <"$here/cert-chain.pem" || :
  replace "$CERTS/root-cert.pem" 0644 istio-proxy:istio-proxy <"$here/root-cert.pem" || :
  mv -f "$HOME_DIR/sent.new" "$HOME_DIR/sent"
  CHANGED="$CHANGED certificates"
}

# cluster.env, with the port of this SSH session kept out of interception even where NAT hides it from the config.
cluster_env() {
  facts cluster.env | awk -v port="$SSH_PORT" '
    /^ISTIO_LOCAL_EXCLUDE_PORTS=/ && port != "" && ("," substr($0, index($0, "=") + 1) ",") !~ ("," port ",") { $0 = $0 "," port }
    { print }'
}

write_hosts() {
  {
    foreign_hosts
    echo "$BEGIN"
    fact hosts
    echo "$END"
  } | replace /etc/hosts "$(stat -c %a /etc/hosts)" "$(stat -c %u:%g /etc/hosts)"
}

start() {
  systemctl enable --quiet istio.service 2>/dev/null || fail "istio.service can't be enabled: systemctl status istio"
  if [ -n "$CHANGED" ] || ! systemctl is-active --quiet istio.service; then
    systemctl daemon-reload
    systemctl restart istio.service || fail "istio.service does not start: $(systemctl status istio.service --no-pager 2>&1 | tail -n 5)"
  fi
  begun=$(date +%s)
  if ! await "$READY_SECONDS" ready; then
    fail "the sidecar is not ready after $READY_SECONDS s; its last words:
$(tail -qn 12 /var/log/istio/istio.err.log /var/log/istio/istio.log 2>/dev/null)"
  fi
  say start "ok: ready after $(($(date +%s) - begun)) s"
}

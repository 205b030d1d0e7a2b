# Makes this host a workload of the mesh. Every phase looks at what is there and does only what is missing.
# shellcheck shell=sh

join() {
  check
  trap 'join_failed' EXIT
  record
  keep_previous
  rm -f "$HOME_DIR/attended" "$HOME_DIR/awaiting" # of a join that was cut off
  printf '%s\n' "$STATE" >"$HOME_DIR/joining"
  echo "$SSH_PORT" >"$HOME_DIR/ssh-port"
  install_scripts
  RESTART=''
  [ ! -e "$UNDO_UNIT" ] || RESTART=' unfinished' # a change that was cut off: what runs need not be what lies there
  install_package
  plan
  [ -z "$RESTART" ] || require_company
  [ -z "$RESTART" ] || arm
  write_files
  start
  [ -z "$RESTART" ] || await_confirmation
  commit
  trap - EXIT
  say joined "istio-sidecar $(installed_version), in sync with istiod"
}

# A join that ends early leaves the host as it was before: out of the mesh, or in it as it was confirmed last. If a step
# of that fails, it stops there: the record, and what undoes the change later, must not be lost.
join_failed() {
  trap - EXIT
  say undo "the join failed: the host goes back to what it was"
  undo
  exit 3
}

# For whoever looks at the host, for the timer that undoes, and for `leave` by hand.
install_scripts() {
  mkdir -p "$HOME_DIR/bin"
  for file in "$here/istio-vm" "$here"/*.sh; do
    replace "$HOME_DIR/bin/${file##*/}" 0700 root:root <"$file" || :
  done
}

install_package() {
  digest=$(fact package | cut -d ' ' -f 1) source=$(fact package | cut -d ' ' -f 2)
  if [ -n "$(installed_version)" ] && [ "$(cat "$HOME_DIR/package" 2>/dev/null)" = "$digest" ]; then
    say install "ok: istio-sidecar $(installed_version) is there"
    remove_copy "$source"
    return
  fi
  deb=$HOME_DIR/istio-sidecar.deb
  case $source in
    http://* | https://*) fetch "$source" "$deb" || fail "can't fetch the sidecar package from $source" ;;
    *) cp "$source" "$deb" || fail "the sidecar package is not at $source: pulumi up copies it there" ;;
  esac
  actual=$(sha256sum "$deb" | cut -d ' ' -f 1)
  if [ "$actual" != "$digest" ]; then
    rm -f "$deb"
    fail "the sidecar package from $source has SHA-256 $actual, but sidecar.sha256 is $digest"
  fi
  # But for one that a join brought which was cut off.
  if [ -d "$PREVIOUS" ] && [ ! -e "$PREVIOUS/istio-sidecar.deb" ] && [ -n "$(installed_version)" ]; then
    repack "$PREVIOUS/istio-sidecar.deb"
  fi
  arm
  # From an installation that was killed only dpkg goes on, apt-get refuses.
  case $(package_status) in
    '' | installed | not-installed | config-files) ;;
    *) install_deb "$deb" "taken up again after an installation that was cut off" ;;
  esac
  # apt-get rather than dpkg: it waits for whoever holds the package manager's lock. A sidecar that runs is not touched.
  log=$(DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=120 \
    -o APT::Sandbox::User=root install --no-install-recommends --no-remove --reinstall --allow-downgrades "$deb" 2>&1) ||
    fail "the sidecar package could not be installed:
$(printf '%s\n' "$log" | tail -n 15)"
  rm -f "$deb"
  remove_copy "$source"
  echo "$digest" >"$HOME_DIR/package"
  RESTART="$RESTART package"
  say install "ok: istio-sidecar $(installed_version)"
}

# The package as `pulumi up` copied it here, if it did.
remove_copy() {
  case $1 in /var/tmp/*) rm -f "$1" ;; esac
}

fetch() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 10 --max-time 600 -o "$2" "$1"
  else
    wget -q -T 10 -O "$2" "$1"
  fi
}

# What will be written, and whether the sidecar must start anew for it. A new certificate under the same root does not
# need that: the agent reads it when it asks istiod for the next one.
plan() {
  differs wanted_cluster_env "$ENV_DIR/cluster.env" && RESTART="$RESTART cluster.env"
  differs wanted_sidecar_env "$ENV_DIR/sidecar.env" && RESTART="$RESTART sidecar.env"
  differs wanted_hosts /etc/hosts && RESTART="$RESTART hosts"
  [ -n "$(istio_rules)" ] || RESTART="$RESTART iptables"
  CERTIFICATES=''
  if differs wanted_certificates "$HOME_DIR/sent"; then CERTIFICATES=new; fi
  for file in root-cert cert-chain key; do
    [ -s "$CERTS/$file.pem" ] || CERTIFICATES=missing
  done
  if ! ready; then
    RESTART=${RESTART:- not-ready}
    CERTIFICATES=${CERTIFICATES:-unused} # those that lie there may be why
  elif [ "$(facts file | grep root-cert)" != "$(grep root-cert "$HOME_DIR/sent" 2>/dev/null)" ]; then
    RESTART="$RESTART root"
  fi
}

# `differs COMMAND PATH`: whether the file is anything but what COMMAND prints.
differs() { ! "$1" 2>/dev/null | cmp -s - "$2"; }

write_files() {
  install -d -o istio-proxy -g istio-proxy "$CERTS" "$ENV_DIR"
  # The agent replaces these by certificates of its own, so what lies there says nothing of what was sent.
  if [ -n "$CERTIFICATES" ]; then
    replace "$CERTS/key.pem" 0600 istio-proxy:istio-proxy <"$here/key.pem" || :
    replace "$CERTS/cert-chain.pem" 0644 istio-proxy:istio-proxy <"$here/cert-chain.pem" || :
    replace "$CERTS/root-cert.pem" 0644 istio-proxy:istio-proxy <"$here/root-cert.pem" || :
    wanted_certificates | replace "$HOME_DIR/sent" 0600 root:root || :
  fi
  wanted_cluster_env | replace "$ENV_DIR/cluster.env" 0644 istio-proxy:istio-proxy || :
  wanted_sidecar_env | replace "$ENV_DIR/sidecar.env" 0644 istio-proxy:istio-proxy || :
  wanted_hosts | replace /etc/hosts "$(stat -c %a /etc/hosts)" "$(stat -c %u:%g /etc/hosts)" || :
  changed="$RESTART${CERTIFICATES:+ certificates}"
  say write "ok:${changed:- nothing to change}"
}

start() {
  if [ -n "$RESTART" ]; then
    systemctl daemon-reload
    restart_sidecar ||
      fail "istio.service does not start: $(systemctl status istio.service --no-pager 2>&1 | tail -n 5)"
  fi
  begun=$(date +%s)
  if ! await "$READY_SECONDS" ready; then
    fail "the sidecar is not ready after $READY_SECONDS s; its last words:
$(tail -qn 12 /var/log/istio/istio.err.log /var/log/istio/istio.log 2>/dev/null)"
  fi
  release
  rm -f "$RESTARTING"
  say start "ok: ready after $(($(date +%s) - begun)) s"
}

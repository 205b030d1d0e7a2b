# Makes this host a workload of the mesh. Every phase looks at what is there and does only what is missing.
# shellcheck shell=sh

join() {
  check
  trap 'join_failed' EXIT
  install_scripts
  record
  keep_previous
  rm -f "$HOME_DIR/awaiting" # of a join that was cut off
  printf '%s\n' "$STATE" >"$HOME_DIR/joining"
  echo "$SSH_PORT" >"$HOME_DIR/ssh-port"
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
  say joined "istio-sidecar $(package_version), in sync with istiod"
}

# A join that ends early leaves the host as it was before: out of the mesh, or in it as it was confirmed last. If a step
# of that fails, it stops there: the record, and what undoes the change later, must not be lost.
join_failed() {
  trap - EXIT
  say undo "the join failed: the host goes back to what it was"
  undo
  exit 3
}

# For leave, for the timer that undoes, and for whoever looks at the host. istio-vm comes last: where it is, all are.
install_scripts() {
  local file
  mkdir -p "$HOME_DIR"
  chmod 0700 "$HOME_DIR"
  if [ ! -e "$HOME_DIR/bin" ]; then
    rm -rf "$HOME_DIR/bin.new"
    { mkdir "$HOME_DIR/bin.new" && cp "$here"/*.sh "$here/istio-vm" "$HOME_DIR/bin.new" &&
      chmod 0700 "$HOME_DIR/bin.new"/* && mv "$HOME_DIR/bin.new" "$HOME_DIR/bin"; } ||
      fail "can't write $HOME_DIR/bin: is the disk full?"
    return
  fi
  for file in "$here"/*.sh "$here/istio-vm"; do
    replace "$HOME_DIR/bin/${file##*/}" 0700 root:root cat "$file"
  done
}

# What will be written, and whether the sidecar must start anew for it. A new certificate under the same root does not
# need that: the agent reads it when it asks istiod for the next one.
plan() {
  CHANGES='' SENT=''
  each_file "$(facts file)" plan_file
  [ -n "$(istio_rules)" ] || RESTART="$RESTART iptables"
  if ! ready; then
    RESTART=${RESTART:- not-ready}
    SENT=${SENT:-unused} # what lies there may be why
  fi
}

# The agent replaces files that were sent by its own, so what lies there says nothing of what was sent.
plan_file() {
  case $3 in
    lines:* | block:*) ! content "$2" "$3" 2>/dev/null | cmp -s - "$2" || return 0 ;;
    *)
      [ -s "$2" ] || SENT=missing
      ! grep -qxFe "$1 $2 $3" "$HOME_DIR/sent" 2>/dev/null || return 0
      SENT=new
      [ -n "$4" ] || return 0
      ;;
  esac
  if [ -n "$4" ]; then RESTART="$RESTART ${2##*/}"; else CHANGES="$CHANGES ${2##*/}"; fi
}

write_files() {
  local changed
  install -d -o istio-proxy -g istio-proxy "$CERTS" "$ENV_DIR"
  each_file "$(facts file)" write_file
  [ -z "$SENT" ] || replace "$HOME_DIR/sent" 0600 root:root sent_files
  changed="$RESTART$CHANGES${SENT:+ certificates}"
  say write "ok:${changed:- nothing to change}"
}

write_file() {
  case $3 in
    block:*)
      replace_foreign "$2" "$2" content "$2" "$3"
      return
      ;;
    lines:*) ;;
    *) [ -n "$SENT" ] || return 0 ;;
  esac
  [ -d "${2%/*}" ] || install -d -o istio-proxy -g istio-proxy "${2%/*}"
  replace "$2" "$1" istio-proxy:istio-proxy content "$2" "$3"
}

start() {
  local begun
  if [ -n "$RESTART" ]; then
    systemctl daemon-reload # always: systemd does not notice a drop-in of the operator's in a new folder
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

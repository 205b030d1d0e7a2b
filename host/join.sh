# Makes this host a workload of the mesh. Every phase looks at what is there and does only what is missing.
# shellcheck shell=sh

join() {
  check
  UNFINISHED=join_failed
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
  stage_files
  [ -z "$RESTART" ] || stop_sidecar
  write_files
  start
  [ -z "$RESTART" ] || await_confirmation
  verify
  commit
  UNFINISHED=''
  say joined "istio-sidecar $(package_version), in sync with istiod"
}

# A join that ends early leaves the host as it was before: out of the mesh, or in it as it was confirmed last. If a step
# of that fails, it stops there: the record, and what undoes the change later, must not be lost. What is in the way now,
# such as somebody else's use of the package manager, need not be for long.
join_failed() {
  say undo "the join failed: the host goes back to what it was"
  set +e
  (set -e && undo)
  # shellcheck disable=SC2181 # as a condition, it would go on behind what fails in it
  if [ $? -ne 0 ] && [ -e "$UNDO_UNIT" ] && systemctl start --no-block istio-vm-undo.service; then
    say undo "it is tried again until it is done: journalctl -u istio-vm-undo"
  fi
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
    cmp -s "$file" "$HOME_DIR/bin/${file##*/}" || replace "$HOME_DIR/bin/${file##*/}" 0700 root:root cat "$file"
  done
}

# What will be written, and whether the sidecar must start anew for it. A new certificate under the same root does not
# need that: the agent reads it when it asks istiod for the next one. A token does: the agent has no reason to look for it.
plan() {
  CHANGES='' SENT='' ROOTS=''
  each_file "$(facts file)" plan_file
  if by_token; then
    ! has_ended "$CERTS/cert-chain.pem" || SENT=${SENT:-ended}
  elif ! has_identity; then
    RESTART="$RESTART identity"
  fi
  ! has_lists || leads_to_lists || RESTART="$RESTART lists"
  rules_as_wanted || RESTART="$RESTART iptables"
  if ! ready; then
    RESTART=${RESTART:- not-ready}
    SENT=${SENT:-unused} ROOTS=${ROOTS:-unused} # what lies there may be why
  fi
  if by_token && [ -n "$SENT" ]; then RESTART="$RESTART token"; fi
}

plan_file() {
  case $3 in
    lines:* | block:* | lists:*) ! content "$2" "$3" 2>/dev/null | cmp -s - "$2" || return 0 ;;
    certificate:*) return 0 ;;
    roots:*)
      plan_roots "$@"
      return 0
      ;;
    *)
      as_sent "$2" "$3" || SENT=missing
      ! grep -qxFe "$1 $2 $3" "$HOME_DIR/sent" 2>/dev/null || return 0
      SENT=new
      [ -n "$4" ] || return 0
      ;;
  esac
  if [ -n "$4" ]; then RESTART="$RESTART ${2##*/}"; else CHANGES="$CHANGES ${2##*/}"; fi
}

# A sidecar that runs takes further roots from istiod, or from the file when it asks istiod the next time. With none that
# it has so far it must start anew, and its certificate is of another mesh's.
plan_roots() {
  if as_sent "$2" "$3" && grep -qxFe "$1 $2 $3" "$HOME_DIR/sent" 2>/dev/null; then return 0; fi
  ROOTS=new
  if [ ! -L "$2" ] && share_certificate "$2" "$here/root-cert.pem"; then
    CHANGES="$CHANGES roots"
  else
    RESTART="$RESTART roots"
    ! by_token || SENT=${SENT:-new}
  fi
}

# Everything that can fail for want of space comes before anything is disturbed.
stage_files() {
  each_file "$(facts file)" stage_file
  if by_token && [ -n "$SENT" ]; then stage_token; fi
}

stage_file() {
  local real
  case $3 in
    block:*)
      real=$(place "$2" "$3")
      stage_like "$real" "$real" content "$2" "$3"
      ;;
    *) ! is_written "$3" || stage "$2" "$1" "$(owner_of "$2")" content "$2" "$3" ;;
  esac
}

# `is_written SOURCE`: what was sent only if it is new: the agent may have put something of its own there.
is_written() {
  case $1 in
    lines:* | block:* | lists:*) ;;
    token:* | certificate:*) return 1 ;;
    roots:*) [ -n "$ROOTS" ] ;;
    *) [ -n "$SENT" ] ;;
  esac
}

write_files() {
  local changed
  install -d -o istio-proxy -g istio-proxy "$CERTS" "$ENV_DIR"
  by_token || install -d -m 0700 -o istio-proxy -g istio-proxy "$IDENTITY"
  each_file "$(facts file)" write_file
  forget_sent
  lead_to_lists
  if by_token && [ -n "$SENT" ]; then put "$TOKEN"; fi
  [ -z "$SENT$ROOTS" ] || replace "$HOME_DIR/sent" 0600 root:root sent_files
  changed="$RESTART$CHANGES${SENT:+ certificates}"
  say write "ok:${changed:- nothing to change}"
}

# With a certificate the agent would prove that it is who it was, and not look at the token. And what is there afterwards
# shall be of this start.
write_file() {
  case $3 in
    token:*) [ -z "$SENT" ] || rm -f "$2" ;;
    certificate:*) [ -z "$RESTART" ] || rm -f "$2" ;;
  esac
  ! is_written "$3" || put "$(place "$2" "$3")"
}

start() {
  local begun
  if [ -n "$RESTART" ]; then
    start_unit ||
      fail "istio.service does not start: $(systemctl status istio.service --no-pager 2>&1 | tail -n 5)
$(last_words)"
  fi
  uptime_now
  begun=$UPTIME
  await_ready || fail "the sidecar is not ready after $READY_SECONDS s$(refused_identity); its last words:
$(last_words)"
  rm -f "$RESTARTING"
  spend_token
  follow_dns
  ! captures_nothing || remove_tables
  uptime_now
  say start "ok: ready after $((UPTIME - begun)) s"
}

# Also those of istio-start.sh, which may never have come to start it.
last_words() {
  # Without what each start says, or the next one would hide why the last one failed: what systemd does, the environment,
  # and all rules of iptables.
  journalctl -u istio.service --no-pager --quiet --output=cat -n 500 2>/dev/null |
    grep -Ev '^([*:#]|COMMIT$|-[A-Z] |[A-Z0-9_]+=)|^ |[[:space:]]info[[:space:]]' |
    grep -Ev '^(Start|Stopp)(ing|ed) |Scheduled restart job|INFO memory is not limited|OS CA Cert could not be found' |
    tail -n 12 || :
  tail -qn 12 /var/log/istio/istio.err.log /var/log/istio/istio.log 2>/dev/null || :
}

# "Joined" is what is so now.
verify() {
  systemctl is-active --quiet istio.service || fail "istio.service does not run any more: systemctl status istio"
  rules_as_wanted || fail "iptables: $(unwanted_rules): journalctl -u istio"
  ! has_dns || await 20 leads_dns || fail "look-ups of names are not led to the sidecar any more: journalctl -u ${DNS_UNIT##*/}"
  each_file "$(facts file)" verify_file
  verify_identity
}

verify_file() {
  case $3 in
    lines:* | block:* | lists:*) content "$2" "$3" | cmp -s - "$2" || fail "$2 is not what was written: does something else write it?" ;;
    *) [ -s "$2" ] || fail "$2 is not there any more: does something else write in ${2%/*}?" ;;
  esac
}

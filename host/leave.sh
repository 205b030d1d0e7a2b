# Gives the host back as it was before the first join.
# shellcheck shell=sh

leave() {
  rm -f /var/tmp/istio-sidecar-*.deb # as copied here for a join that then was refused
  if [ ! -d "$RECORD" ]; then
    rm -rf "$HOME_DIR"
    say left "it was not joined: nothing to undo"
    return
  fi
  owner=$(cat "$RECORD/owner")
  if [ "$owner" != "$(fact owner)" ]; then
    say left "it was joined by another stack, with owner mark $owner: nothing of this one is here"
    return
  fi
  give_back
  say left "the host is as it was"
}

# Every step may find its work done already.
give_back() {
  if [ ! -d "$RECORD" ]; then # cut off before anything was changed
    rm -rf "$HOME_DIR"
    return
  fi
  systemctl disable --quiet istio.service 2>/dev/null || :
  systemctl stop istio.service 2>/dev/null || : # it may run although its file is gone
  remove_rules
  say leave "sidecar stopped, no rule left"
  restore_package
  restore_files
  restore_accounts
  disarm
  systemctl daemon-reload
  systemctl reset-failed istio.service 2>/dev/null || :
  rm -rf "$HOME_DIR" "$CONFIRMED" "$RESTARTING"
  say leave "package, files, units and accounts restored"
}

# The unit's own clean-up removes the chains; this is for a unit that was killed, or whose configuration was changed.
remove_rules() {
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables $tool); do
      rules=$($tool-save -t "$table" 2>/dev/null)
      case $rules in *ISTIO*) printf '%s\n' "$rules" | sed /ISTIO/d | $tool-restore || : ;; esac
    done
  done
  rules=$(istio_rules)
  [ -z "$rules" ] || fail "iptables rules of Istio remain, remove them by hand:
$rules"
  restore_tables
}

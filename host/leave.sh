# Gives the host back as it was before the first join.
# shellcheck shell=sh

leave() {
  if [ ! -d "$RECORD" ]; then
    rm -rf "$HOME_DIR"
    say left "it was not joined: nothing to undo"
    return
  fi
  owner=$(cat "$RECORD/owner")
  [ "$owner" = "$(fact owner)" ] || fail "it was joined by another stack, with owner mark $owner: this one leaves it alone"
  give_back
  say left "the host is as it was"
}

# Every step may find its work done already.
give_back() {
  if systemctl cat istio.service >/dev/null 2>&1; then
    systemctl disable --quiet --now istio.service 2>/dev/null || :
  fi
  remove_rules
  say leave "sidecar stopped, no rule left"
  if [ ! -s "$RECORD/package" ] && dpkg-query -W istio-sidecar >/dev/null 2>&1; then
    dpkg --purge istio-sidecar >"$here/dpkg.log" 2>&1 || fail "the package istio-sidecar can't be removed:
$(tail -n 5 "$here/dpkg.log")"
    say leave "package removed"
  fi
  restore_files
  restore_accounts
  systemctl daemon-reload
  systemctl reset-failed istio.service 2>/dev/null || :
  rm -rf "$HOME_DIR"
  say leave "files, units and accounts restored"
}

# The unit's own clean-up removes the chains; this is for a unit that was killed, and makes sure.
remove_rules() {
  if [ -n "$(istio_rules)" ] && [ -x /usr/local/bin/pilot-agent ]; then
    /usr/local/bin/pilot-agent istio-iptables --cleanup-only >"$here/iptables.log" 2>&1 || :
  fi
  rules=$(istio_rules)
  [ -z "$rules" ] || fail "iptables rules of Istio remain, remove them by hand:
$rules"
  # iptables-nft leaves the tables that it made, now empty.
  nft_tables | while read -r _ family table; do
    grep -qx "table $family $table" "$RECORD/nft-tables" || nft_table_is_used "$family" "$table" || nft delete table "$family" "$table"
  done
}

nft_table_is_used() {
  nft list table "$1" "$2" | grep -Eqv '^(#|table |\tchain |\t\ttype .* policy accept;$|\t?}$|$)'
}

# Rules of iptables that redirect the host's traffic through the sidecar: istio-start.sh makes them, and takes them back
# when the unit stops.
# shellcheck shell=sh

IPTABLES_TOOLS="iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy"
# The chains of istio-iptables, by their exact names (Istio 1.31, tools/istio-iptables/pkg/capture/run.go).
ISTIO_CHAINS='ISTIO_(OUTPUT|OUTPUT_DNS|INBOUND|DIVERT|TPROXY|REDIRECT|IN_REDIRECT|DROP)'
RULES_ENV=$HOME_DIR/rules-env

# `iptables_tables TOOL`: the tables that TOOL (iptables-nft, ip6tables-legacy, ...) has, a line each. A legacy tool
# makes a table by looking at it, so it only looks if the kernel has some already.
iptables_tables() {
  command -v "$1-save" >/dev/null || return 0
  case $1 in
    iptables-legacy) cat /proc/net/ip_tables_names 2>/dev/null || : ;;
    ip6tables-legacy) cat /proc/net/ip6_tables_names 2>/dev/null || : ;;
    *) "$1-save" 2>/dev/null | sed -n 's/^\*//p' ;;
  esac
}

# `rules_of CHAINS TOOL TABLE`: these chains, their rules, and those of other chains that lead to them, as TOOL-save has
# them. An operator's comment may say anything.
rules_of() {
  "$2-save" -t "$3" 2>/dev/null | awk -v chains="^($1)\$" '
    {
      words = $0
      gsub(/"([^"\\]|\\.)*"/, "", words)
      split(words, word, " ")
      if (substr($1, 1, 1) == ":" ? substr($1, 2) ~ chains : word[1] == "-A" && (word[2] ~ chains || leads())) print
    }
    function leads(at) {
      for (at in word) if ((word[at] == "-j" || word[at] == "-g") && word[at + 1] ~ chains) return 1
      return 0
    }'
}

# `rules CHAINS`: the same in any kind of iptables; nothing when there are none.
rules() {
  local tool table
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables "$tool"); do rules_of "$1" "$tool" "$table"; done
  done
}

istio_rules() { rules "$ISTIO_CHAINS"; }

# The kinds of iptables that see what comes to the address at which the mesh reaches the host.
tools_here() {
  case $(own_address) in
    *:*) echo "ip6tables-nft ip6tables-legacy" ;;
    *) echo "iptables-nft iptables-legacy" ;;
  esac
}

# Whether there are some, or none, as STATE has it (hosts[].capture). An operator may make them himself, by the host's own
# environment.
rules_as_wanted() {
  if captures_nothing; then
    [ -z "$(istio_rules)" ]
  else
    rules_are_theirs || [ -n "$(IPTABLES_TOOLS=$(tools_here) && istio_rules)" ]
  fi
}

rules_are_theirs() { facts sidecar.env | grep -Eqx 'ISTIO_CUSTOM_IP_TABLES="?true"?'; }
captures_nothing() { facts cluster.env | grep -qx 'ISTIO_CUSTOM_IP_TABLES=true'; }

# What is wrong then.
unwanted_rules() {
  if captures_nothing; then echo "has rules of Istio, but nothing shall be captured"; else echo "no rules: traffic bypasses the sidecar"; fi
}

# The environment as the unit starts with it.
keep_rules_env() {
  local file
  mkdir -p "$RULES_ENV"
  for file in cluster.env sidecar.env; do
    if [ -e "$ENV_DIR/$file" ]; then cp "$ENV_DIR/$file" "$RULES_ENV"; else rm -f "$RULES_ENV/$file"; fi
  done
}

# Takes interception back, rule by rule: others may have made rules meanwhile. What the unit's own clean-up leaves, as of a
# unit that was killed, its script takes back with the environment that made it; and then whatever has a name of Istio's.
# It fails if any is left.
remove_rules() {
  local left
  remove_chains "$OPEN_CHAIN|$OPEN_OUT_CHAIN"
  [ -n "$(istio_rules)" ] || return 0
  if [ -x /usr/local/bin/istio-start.sh ] && [ -d "$RULES_ENV" ]; then
    ISTIO_SIDECAR_CONFIG=$RULES_ENV/sidecar.env ISTIO_CLUSTER_CONFIG=$RULES_ENV/cluster.env \
      timeout 30 /usr/local/bin/istio-start.sh clean >/dev/null 2>&1 || :
  fi
  remove_chains "$ISTIO_CHAINS"
  left=$(istio_rules)
  [ -z "$left" ] || fail "iptables rules of Istio remain, remove them by hand:
$left"
}

# `remove_chains CHAINS`: with all rules that lead to them.
remove_chains() {
  local tool table found
  for tool in $IPTABLES_TOOLS; do
    for table in $(iptables_tables "$tool"); do
      found=$(rules_of "$1" "$tool" "$table")
      [ -z "$found" ] || removal "$1" "$table" "$found" | "$tool-restore" --noflush --wait 10 || :
    done
  done
}

# `removal CHAINS TABLE RULES`: what takes these back, for `iptables-restore --noflush`.
removal() {
  printf '*%s\n' "$2"
  printf '%s\n' "$3" | awk -v chains="^($1)\$" '
    substr($1, 1, 1) == ":" { chain[substr($1, 2)]; next }
    $2 !~ chains { sub(/^-A/, "-D"); print }
    END {
      for (name in chain) print "-F", name
      for (name in chain) print "-X", name
      print "COMMIT"
    }'
}

# iptables-nft leaves the tables that it made, now empty: they go too, if nobody has put anything into them since.
remove_tables() {
  local tool table
  for tool in iptables-nft ip6tables-nft; do
    for table in $(iptables_tables "$tool"); do
      if grep -qx "$table" "$RECORD/$tool" || "$tool-save" -t "$table" 2>/dev/null | grep -Eq '^-A|^:[^ ]+ (-|DROP)'; then continue; fi
      printf '*%s\nCOMMIT\n' "$table" | "$tool-restore" # without chains, this deletes the table
    done
  done
}

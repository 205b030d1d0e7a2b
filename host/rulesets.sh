# Reads the rules of a packet filter, and tells which of some new TCP connections they surely refuse. Nothing but text is
# looked at. Each rule matches such a packet surely, perhaps (whose source, interface or module nothing is known of here)
# or not at all; one that perhaps lets it through counts as if it did, so that there are no false alarms.
# shellcheck shell=sh

# shellcheck source-path=SCRIPTDIR source=nftables.sh
. "$here/nftables.sh"

# `surely_refused PACKETS ADDRESS`: for rule sets on stdin, each after a line `@ TOOL` (iptables-nft, iptables-legacy, nft
# and their like for IPv6), prints `KIND|ORIGINALS|TOOL|TABLE|CHAIN|RULE` for each rule or policy by which a chain of the
# kernel's refuses packets of a kind.
#
#   PACKETS  a line each: KIND HOOK PORT ORIGINAL NAT LO
#            HOOK      prerouting, input or output
#            PORT      its destination port there; `*` any that it is not worth to tell apart
#            ORIGINAL  the port that it was meant for
#            NAT       1 after its destination was changed, else 0
#            LO        1 on the loopback interface, to where the sidecar redirected it: what it is sent on is, for the chains
#                      of output, still the interface that it would have left by; 2 on it from the start; else 0
#   ADDRESS  the host's own
surely_refused() {
  awk -v packets="$(printf '%s' "$1" | tr '\n' ';')" -v address="$2" "$RULES_WALK$RULES_IPTABLES$RULES_NFT"
}

# The chains of a hook, and how a packet fares in them: `a` accepted, `d` dropped, `r` fallen through; more than one letter
# where that can't be told.
# shellcheck disable=SC2016,SC2034
RULES_WALK='
BEGIN {
  NO = 0; MAYBE = 1; YES = 2
  v6 = address ~ /:/
  PRIORITY["raw"] = -300; PRIORITY["mangle"] = -150; PRIORITY["dstnat"] = -100; PRIORITY["filter"] = 0
  PRIORITY["security"] = 50; PRIORITY["srcnat"] = 100
}
/^@ / { tool = $2; table = ""; next }
/^#/ { next }
{ if (tool ~ /^nft/) read_nft(); else read_iptables() }

# Chains are known by tool, table and name.
function base(chain, hook, priority, policy) {
  bases[++nbases] = chain; hook_of[chain] = hook; priority_of[chain] = priority; policy_of[chain] = policy
}
function add_rule(chain, text) {
  rule[chain, ++rules[chain]] = text
  if (text ~ /ctorig|ct original/) original_matters = 1
}

function walk(chain, depth,    i, so, verdict, result, ends) {
  if (depth > 20) return "a"
  ends = ""
  for (i = 1; i <= rules[chain]; i++) {
    if (chain ~ /^nft/) match_nft(rule[chain, i], chain)
    else match_iptables(rule[chain, i], chain)
    so = matched; verdict = found
    if (so == NO || verdict == "") continue
    if (verdict ~ /^(jump|goto) /) {
      result = walk(prefix(chain) substr(verdict, 6), depth + 1)
      if (verdict ~ /^jump/ && index(result, "r")) {
        gsub(/r/, "", result)
        so = MAYBE
      }
    } else {
      result = verdict
      if (verdict == "d" && so == YES) { why_chain = chain; why_rule = rule[chain, i] }
    }
    ends = ends result
    if (so == YES) return ends
  }
  return ends "r"
}
function prefix(chain) { return substr(chain, 1, length(chain) - length(name_of(chain))) }
function name_of(chain,    part) { split(chain, part, SUBSEP); return part[3] }

END {
  count = split(packets, packet, ";")
  for (p = 1; p <= count; p++) {
    if (split(packet[p], field, " ") < 6) continue
    hook = field[2]; dport = field[3]; original = field[4]; nat = field[5]; lo = field[6]
    for (b = 1; b <= nbases; b++) {
      chain = bases[b]
      if (hook_of[chain] != hook) continue
      # The sidecar changes the destination at dstnat: a chain before and one after it see another port.
      if (hook != "input" && lo < 2 && (priority_of[chain] >= PRIORITY["dstnat"]) != nat) continue
      key = chain SUBSEP dport SUBSEP nat SUBSEP lo SUBSEP (original_matters ? original : "")
      if (!(key in refused)) {
        why_chain = chain; why_rule = "policy " policy_of[chain]
        result = walk(chain, 0)
        if (index(result, "r")) {
          result = result (policy_of[chain] == "drop" ? "d" : "a")
          if (policy_of[chain] == "drop") { why_chain = chain; why_rule = "policy drop" }
        }
        refused[key] = index(result, "a") ? "" : reason(chain)
      }
      if (refused[key] == "") continue
      found = field[1] SUBSEP refused[key]
      if (!(found in ports)) order[++norder] = found
      if (!index("," ports[found] ",", "," original ",")) ports[found] = ports[found] (ports[found] == "" ? "" : ",") original
    }
  }
  for (i = 1; i <= norder; i++) {
    split(order[i], field, SUBSEP)
    print field[1] "|" ports[order[i]] "|" field[2]
  }
}
function reason(chain,    part, where) {
  split(chain, part, SUBSEP); split(why_chain, where, SUBSEP)
  return part[1] "|" part[2] "|" part[3] "|" (where[3] == part[3] ? "" : where[3] ": ") why_rule
}

# Words: of a text in quotes, one.
function words(text,    n) {
  for (n in word) delete word[n]
  n = 0
  while (match(text, /^[ \t]*("([^"\\]|\\.)*"|[^ \t]+)/)) {
    word[++n] = substr(text, 1, RLENGTH)
    sub(/^[ \t]+/, "", word[n])
    text = substr(text, RLENGTH + 1)
  }
  return n
}

function least(x, y) { return x < y ? x : y }
function most(x, y) { return x > y ? x : y }

# Whether a port is in such a list as 22,80:90 or 80-90.
function port_in(port, list,    i, n, item, ends, so) {
  so = NO
  n = split(list, item, ",")
  for (i = 1; i <= n; i++) {
    if (split(item[i], ends, /[:-]/) < 2) ends[2] = ends[1]
    if (ends[1] == "") ends[1] = 0
    if (ends[2] == "") ends[2] = 65535
    if (ends[1] ends[2] !~ /^[0-9]+$/ || port == "*") so = most(so, ends[1] + 0 <= 1 && ends[2] == 65535 ? YES : MAYBE)
    else if (port + 0 >= ends[1] + 0 && port + 0 <= ends[2] + 0) return YES
  }
  return so
}
# The same for the port that it comes from, one of those that Linux gives to clients.
function source_in(list,    i, n, item, ends, so) {
  so = NO
  n = split(list, item, ",")
  for (i = 1; i <= n; i++) {
    if (split(item[i], ends, /[:-]/) < 2) ends[2] = ends[1]
    if (ends[2] == "") ends[2] = 65535
    if (ends[1] + 0 <= 32768 && ends[2] + 0 >= 60999) return YES
    if (ends[1] + 0 <= 60999 && ends[2] + 0 >= 32768) so = MAYBE
  }
  return so
}
function source(from) {
  if (from ~ /^(0\.0\.0\.0|::)\/0$/) return YES
  return !lo && from ~ /^(127\.|::1)/ ? NO : MAYBE
}
function destination(to) {
  if (to ~ /^(0\.0\.0\.0|::)\/0$/) return YES
  if (to ~ /^(22[4-9]|23[0-9]|255)\.|^ff/) return NO
  if (lo == 1) return to ~ /^(127\.|::1)/ ? YES : to ~ /\/[0-7]$/ ? MAYBE : NO # where it was redirected to
  if (lo) return MAYBE
  if (to ~ /^(127\.|::1)/) return NO
  sub(/\/(32|128)$/, "", to)
  return hook != "output" && to == address ? YES : MAYBE
}
function interface(name) {
  gsub(/"/, "", name)
  if (name ~ /[+*]$/) return MAYBE
  if (lo == 2 || (lo && hook == "input")) return name == "lo" ? YES : NO
  return name == "lo" ? NO : MAYBE
}
# The sidecar runs as a user of its own.
function user(name) { gsub(/"/, "", name); return name ~ /^(0|root)$/ && !lo ? NO : MAYBE }
'

# As iptables-save prints them.
# shellcheck disable=SC2016,SC2034
RULES_IPTABLES='
function read_iptables(    chain) {
  if ($0 ~ /^\*/) { table = substr($0, 2); return }
  if ($0 ~ /^:/) {
    chain = tool SUBSEP table SUBSEP substr($1, 2)
    if (!(chain in rules)) rules[chain] = 0
    if ($2 == "-" || !(table in PRIORITY)) return
    if ($1 ~ /^:(PREROUTING|INPUT|OUTPUT)$/) base(chain, tolower(substr($1, 2)), PRIORITY[table], tolower($2))
    return
  }
  sub(/^\[[0-9:]*\] /, "")
  if ($1 == "-A") add_rule(tool SUBSEP table SUBSEP $2, $0)
}

function match_iptables(text, chain,    i, n, not, option, value, so) {
  n = words(text); matched = YES; found = ""
  for (i = 3; i <= n; i++) {
    not = 0
    if (word[i] == "!") { not = 1; i++ }
    option = word[i]; value = word[i + 1]
    if (option == "-j" || option == "-g") { found = verdict_iptables(value, option, chain); return }
    i++
    if (option == "-m") {
      so = value ~ /^(tcp|udp|multiport|conntrack|state|comment|addrtype|pkttype|owner)$/ ? YES : MAYBE
    } else if (option == "-p") so = value ~ /^(tcp|6|all|0)$/ ? YES : NO
    else if (option == "-s") so = source(value)
    else if (option == "-d") so = destination(value)
    else if (option == "-i" || option == "-o") so = interface(value)
    else if (option == "-f") { so = NO; i-- }
    else if (option == "--dport" || option == "--dports") so = port_in(dport, value)
    else if (option == "--sport" || option == "--sports") so = source_in(value)
    else if (option == "--ports") so = most(port_in(dport, value), source_in(value))
    else if (option == "--ctorigdstport") so = port_in(original, value)
    else if (option == "--ctstate" || option == "--state") so = ("," value ",") ~ (nat ? ",(NEW|DNAT)," : ",NEW,") ? YES : NO
    else if (option == "--ctdir") so = value == "ORIGINAL" ? YES : NO
    else if (option == "--ctproto") so = value ~ /^(tcp|6)$/ ? YES : NO
    else if (option == "--tcp-flags") { so = flags(value, word[i + 1]); i++ }
    else if (option == "--dst-type") so = hook == "output" ? MAYBE : ("," value ",") ~ /,LOCAL,/ ? YES : NO
    else if (option == "--src-type") so = ("," value ",") ~ /,UNICAST,/ || lo ? MAYBE : NO
    else if (option == "--pkt-type") so = value == "unicast" ? YES : NO
    else if (option == "--uid-owner" || option == "--gid-owner") so = user(value)
    else if (option == "--comment") so = YES
    else {
      so = MAYBE
      if (not || value ~ /^(-|!$)/) i-- # one that takes no value, as far as can be told
    }
    matched = least(matched, not && so != MAYBE ? YES - so : so)
    if (matched == NO) return
  }
}

function verdict_iptables(target, option, chain) {
  if (target == "ACCEPT") return "a"
  if (target ~ /^(DROP|REJECT|TARPIT)$/) return "d"
  if (target == "RETURN") return "r"
  if (target ~ /^(QUEUE|NFQUEUE|SYNPROXY|TPROXY)$/) return "a"
  # The chains that hold new connections back for some seconds while the sidecar restarts.
  if (target ~ /^HOLD_FOR_ISTIO(_OUT)?$/ || !((prefix(chain) target) in rules)) return ""
  return (option == "-g" ? "goto " : "jump ") target
}

# The first packet of a connection has SYN, and none of the other flags that are ever looked at.
function flags(mask, set) {
  set = set == "ALL" ? "FIN,SYN,RST,PSH,ACK,URG" : set
  if (mask !~ /SYN|ALL/) return set == "NONE" ? YES : NO
  return set == "SYN" ? YES : NO
}
'

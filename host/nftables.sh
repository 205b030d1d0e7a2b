# Rules as `nft list ruleset` prints them, for rulesets.sh.
# shellcheck shell=sh

# shellcheck disable=SC2016,SC2034
RULES_NFT='
function read_nft(    line) {
  line = $0
  sub(/^[ \t]+/, "", line)
  if (pending != "") { line = pending " " line; pending = "" }
  if (within == "") {
    if (line ~ /^table /) { family = $2; table = $2 " " $3; within = "table" }
  } else if (within == "table") {
    name = $2
    if (line == "}") within = ""
    else if (line ~ /^chain /) { within = "chain"; rules[here()] = 0 }
    else if (line ~ /^(set|map) /) { within = "set"; elements[here()] = ""; grows[here()] = 0 }
    else if (line ~ /\{$/) within = "other"
  } else if (line == "}") within = "table"
  else if (gsub(/\{/, "{", line) > gsub(/\}/, "}", line)) pending = line
  else if (within == "set") {
    if (line ~ /^flags .*(dynamic|timeout)/) grows[here()] = 1
    if (sub(/^elements = \{/, "", line)) { sub(/\}$/, "", line); elements[here()] = line }
  } else if (within == "chain") {
    if (line !~ /^type [a-z]+ hook /) add_rule(here(), line)
    else if (line ~ /^type filter / && family ~ (v6 ? "^(ip6|inet)$" : "^(ip|inet)$") && !listed_by_iptables()) {
      words(line)
      base(here(), word[4], priority(line), line ~ /policy drop/ ? "drop" : "accept")
    }
  }
}
function here() { return tool SUBSEP table SUBSEP name }
function listed_by_iptables(    of) {
  of = table
  sub(/^ip6? /, "", of)
  return ((family "tables-nft") SUBSEP of SUBSEP name) in rules
}
function priority(line,    term, n, value) {
  sub(/.* priority /, "", line)
  sub(/;.*/, "", line)
  n = split(line, term, " ")
  value = term[1] in PRIORITY ? PRIORITY[term[1]] : term[1] + 0
  return n < 3 ? value : term[2] == "-" ? value - term[3] : value + term[3]
}

function match_nft(text, chain,    i, n, not, key, so, list, on, part) {
  split(chain, part, SUBSEP)
  in_table = part[2]
  n = words(text); matched = YES; found = ""
  for (i = 1; i <= n; i++) {
    on = word[i]
    # What becomes of the packet.
    if (on == "accept" || on == "queue") { found = "a"; return }
    if (on == "drop" || on == "reject") { found = "d"; return }
    if (on == "return") { found = "r"; return }
    if (on == "jump" || on == "goto") { verdict_nft(on " " word[i + 1], chain); return }
    # What does not matter.
    if (on == "counter") { while (word[i + 1] ~ /^(packets|bytes)$/) i += 2; continue }
    if (on == "log") { while (word[i + 1] ~ /^(prefix|level|group|snaplen|queue-threshold|flags)$/) i += 2; continue }
    if (on == "comment") { i++; continue }
    if (on == "notrack" || on == "continue") continue
    if (word[i + 2] == "set" && on ~ /^(meta|ct|ip|ip6|tcp)$/) { i += 3; continue }
    # What it looks at.
    if (on == "meta" && word[i + 1] != "mark") on = word[++i]
    key = on
    if (on ~ /^(icmp|icmpv6|igmp|udp|udplite|sctp|dccp|esp|ah|comp)$/) { matched = NO; return }
    if (on ~ /^(ip|ip6|tcp|th|ct|meta)$/) key = on " " word[++i]
    if (on == "fib") {
      while (word[i + 1] == "." || word[i] ~ /^(fib|\.)$/) i++
      key = text ~ /fib daddr/ && word[i + 1] == "type" ? "fib type" : "fib"
      i++
    }
    if (key ~ /^ct (original|reply)$/) {
      key = key " " word[++i]
      if (word[i] ~ /^ip6?$/) i++
    }
    if (word[i + 1] == ".") { # several at once
      while (i < n && word[i] != "{" && word[i] !~ /^@/) i++
      while (i < n && word[i] != "}" && word[i] !~ /^@/) i++
      if (text ~ / vmap /) { found = "a"; matched = MAYBE; return }
      matched = least(matched, MAYBE)
      continue
    }
    if (!known_nft(key)) { matched = least(matched, MAYBE); continue }
    not = 0
    if (word[i + 1] ~ /^(!=|==)$/) not = word[++i] == "!="
    if (word[i + 1] ~ /^([<>]=?|&|and)$/) { so = compare_nft(key, i, n); i = after; not = 0 }
    else if (word[i + 1] == "vmap") {
      lookup(key, operand(i + 2, n), chain)
      return
    } else if (key == "tcp flags" && word[i + 2] == "/") {
      so = flags(toupper(word[i + 3]), toupper(word[i + 1]))
      i += 3
    } else {
      list = operand(i + 1, n)
      so = value_in(key, list)
      if (so == NO && growing) so = MAYBE
      i = after
    }
    matched = least(matched, not && so != MAYBE ? YES - so : so)
    if (matched == NO) return
  }
}
# `ct mark` and the like go on as words that nothing is known of.
function known_nft(key) {
  return key ~ /^(iif|iifname|oif|oifname|l4proto|nfproto|pkttype|skuid|skgid|fib|fib type)$/ || \
    key ~ /^(ip|ip6) / || key ~ /^(tcp|th) (dport|sport|flags)$/ || key ~ /^ct (state|status|direction)$/ || \
    key ~ /^ct original (proto-dst|protocol)$/
}
# The operand that begins there, as a list with commas; `after` is where it ends.
function operand(i, n,    list, where) {
  growing = 0
  after = i
  if (word[i] ~ /^@/) {
    where = tool SUBSEP in_table SUBSEP substr(word[i], 2)
    growing = !(where in elements) || grows[where]
    return elements[where]
  }
  if (word[i] != "{") return word[i]
  list = ""
  while (++i <= n && word[i] != "}") list = list " " word[i]
  after = i
  return list
}
function value_in(key, list,    item, k, count, so) {
  so = NO
  count = split(list, item, ",")
  for (k = 1; k <= count; k++) {
    sub(/^[ \t]+/, "", item[k])
    sub(/[ \t].*$/, "", item[k]) # a time-out, a comment
    if (item[k] != "") so = most(so, value_is(key, item[k]))
  }
  return so
}
function value_is(key, value) {
  if (key ~ /^(iif|iifname|oif|oifname)$/) return interface(value)
  if (key == "l4proto" || key == "ip protocol" || key == "ip6 nexthdr" || key == "ct original protocol")
    return value ~ /^(tcp|6)$/ && (key !~ /^ip6? / || of_family(key)) ? YES : NO
  if (key == "nfproto") return value == (v6 ? "ipv6" : "ipv4") ? YES : NO
  if (key ~ /^ip6? / && !of_family(key)) return NO
  if (key ~ / saddr$/) return source(value)
  if (key ~ / daddr$/) return destination(value)
  if (key ~ /^(tcp|th) dport$/) return port_in(dport, value)
  if (key ~ /^(tcp|th) sport$/) return source_in(value)
  if (key == "ct original proto-dst") return port_in(original, value)
  if (key == "tcp flags") return value == "syn" ? YES : NO
  if (key == "ct state") return value == "new" ? YES : NO
  if (key == "ct status") return value == "dnat" ? (nat ? YES : NO) : value == "snat" || value == "expected" ? MAYBE : NO
  if (key == "ct direction") return value == "original" ? YES : NO
  if (key == "pkttype") return value ~ /^(host|unicast)$/ ? YES : NO
  if (key == "fib type") return hook == "output" ? MAYBE : value == "local" ? YES : NO
  if (key ~ /^sk[ug]id$/) return user(value)
  return MAYBE
}
function of_family(key) { return key ~ (v6 ? "^ip6 " : "^ip ") }
# One that is compared otherwise than with a value: only ports can be.
function compare_nft(key, i, n,    sign, port, value) {
  sign = word[i + 1]
  after = i + 2
  if (sign ~ /^(&|and)$/) {
    while (after < n && word[after] !~ /^(==|!=)$/) after++
    after++
    return MAYBE
  }
  port = key ~ / dport$/ ? dport : key == "ct original proto-dst" ? original : "*"
  if (port == "*") return MAYBE
  value = word[i + 2] + 0
  port += 0
  if (sign == "<") return port < value ? YES : NO
  if (sign == ">") return port > value ? YES : NO
  return (sign == "<=" ? port <= value : port >= value) ? YES : NO
}
# What a map of verdicts says to it.
function lookup(key, list, chain,    item, pair, k, count, so) {
  count = split(list, item, ",")
  if (growing) { found = "a"; matched = MAYBE; return }
  for (k = 1; k <= count; k++) {
    if (split(item[k], pair, / : /) < 2) continue
    so = value_in(key, pair[1])
    if (so == NO) continue
    if (so == MAYBE) { found = "a"; matched = MAYBE; return }
    sub(/^[ \t]+/, "", pair[2])
    sub(/[ \t]+$/, "", pair[2])
    verdict_nft(pair[2], chain)
    return
  }
  matched = NO
}
function verdict_nft(verdict, chain) {
  if (verdict == "drop") found = "d"
  else if (verdict == "return") found = "r"
  else if (verdict == "continue") found = ""
  else if (verdict ~ /^(jump|goto) / && (prefix(chain) substr(verdict, 6)) in rules) found = verdict
  else { found = "a"; if (verdict != "accept") matched = least(matched, MAYBE) }
}
'

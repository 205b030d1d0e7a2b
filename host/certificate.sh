# What a certificate says, without openssl, which a host need not have. Only its first one is looked at.
# shellcheck shell=sh

# `der FILE`: as hexadecimal digits.
der() {
  sed -n '/-----BEGIN CERT/,/-----END CERT/{ /-----END/q; /-----BEGIN/!p; }' "$1" 2>/dev/null | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}

# `certificates FILE`: each of its certificates, a line each, in an order that depends on nothing else.
certificates() {
  awk '/-----BEGIN CERT/ { text = ""; inside = 1; next } /-----END CERT/ { print text; inside = 0 } inside { gsub(/[ \t\r]/, ""); text = text $0 }' "$1" 2>/dev/null | sort -u
}

# `share_certificate FILE FILE`: whether one is in both.
share_certificate() { [ "$(certificates "$1" | wc -l)" -gt 0 ] && certificates "$1" | grep -qxFe "$(certificates "$2")"; }

# `certificate_end FILE`: as an epoch; nothing if that can't be read. A validity is two times, of this century.
certificate_end() {
  local end
  end=$(der "$1" | sed -n 's/.*301e170d.\{26\}170d\(\(3.\)\{12\}\)5a.*/\1/p' | sed 's/3\(.\)/\1/g; s/../& /g')
  # shellcheck disable=SC2086 # six words
  [ -z "$end" ] || set -- $end
  [ -z "$end" ] || date -u -d "20$1-$2-$3 $4:$5:$6" +%s
}

# `has_ended FILE`: by this host's clock.
has_ended() {
  local end
  end=$(certificate_end "$1")
  [ -n "$end" ] && [ "$end" -le "$(date +%s)" ]
}

# `is_for FILE SPIFFE-ID`: whether it says who that is: a name of the kind URI (86), its length, and itself.
is_for() {
  local length
  length=%02x
  [ "${#2}" -lt 128 ] || length=81%02x
  [ "${#2}" -lt 256 ] || length=82%04x
  # shellcheck disable=SC2059 # it is the format
  der "$1" | grep -q "86$(printf "$length" "${#2}")$(printf '%s' "$2" | od -An -v -tx1 | tr -d ' \n')"
}

# How this host proves to istiod who it is: by the certificate in CERTS, which its agent renews; and to have the first one,
# by a certificate that was sent, or by a token of its service account. Of a token nothing is left once it was used: it is
# put there only if the agent needs it, and is spent when the sidecar is ready.
# shellcheck shell=sh

# Where the agent looks for it, in memory.
TOKEN=/var/run/secrets/tokens/istio-token

# Whether the agent makes key and certificate itself.
by_token() { facts file | grep -q ' token:'; }

stage_token() {
  [ -s "$here/istio-token" ] || fail "a token of its service account is needed, and did not come along: run pulumi up again"
  stage "$TOKEN" 0600 istio-proxy:istio-proxy cat "$here/istio-token"
}

spend_token() { rm -f "$TOKEN" "$(staged "$TOKEN")"; }

# The host's own certificate as hexadecimal digits: there need not be an openssl.
certificate() {
  sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p; /-----END CERTIFICATE-----/q' "$CERTS/cert-chain.pem" 2>/dev/null |
    grep -v -e ----- | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}

# When it ends, as an epoch: the second of the two times that follow each other in it. Nothing if that can't be read.
certificate_ends() {
  local digits
  digits=$(certificate | sed -n 's/.*301e170d[0-9a-f]\{26\}170d\(\(3[0-9]\)\{12\}\)5a.*/\1/p' | sed 's/3\(.\)/\1/g')
  [ -z "$digits" ] || date -u -d "$(printf '%s' "$digits" | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/20\1-\2-\3 \4:\5:\6/')" +%s
}

has_ended() {
  local end
  end=$(certificate_ends)
  [ -n "$end" ] && [ "$end" -le "$(date +%s)" ]
}

# `is_for SPIFFE-ID`: whether it says that this is who the host is: a name of the kind URI (86), its length, and itself.
is_for() {
  local length
  length=%02x
  [ "${#1}" -lt 128 ] || length=81%02x
  [ "${#1}" -lt 256 ] || length=82%04x
  # shellcheck disable=SC2059 # it is the format
  certificate | grep -q "86$(printf "$length" "${#1}")$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n')"
}

# Why the sidecar is not ready, as far as its agent tells: istiod says no more to it than that.
refused_identity() {
  by_token || return 0
  if last_words | grep -qiE 'Unauthenticated|authenticat(e|ion) failure'; then
    echo ": istiod does not accept the token of $(fact identity): was the service account deleted just now, or does istiod expect another audience? Its own log says why: npx istio-vm explain"
  fi
}

# "Joined" is who has the identity.
verify_identity() {
  is_for "$(fact identity)" ||
    fail "the certificate in $CERTS/cert-chain.pem is not for $(fact identity): does something else write there?"
  ! has_ended || fail "the certificate in $CERTS/cert-chain.pem ended $(utc "$(certificate_ends)"), and the sidecar gets no new one: $(last_words)"
}

# How this host proves to istiod who it is, for which its agent gets the certificate in CERTS, of a day: by a certificate of
# a year that was sent and stays in IDENTITY, so that a host that was off for long comes back by itself; or by the one in
# CERTS itself, and to have the first one by a token of its service account. Of that nothing is left once it was used: it
# is put there only if the agent needs it, and is spent when the sidecar is ready.
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

# Why the sidecar is not ready, as far as its agent tells: istiod says no more to it than that.
refused_identity() {
  by_token || return 0
  if last_words | grep -qiE 'Unauthenticated|authenticat(e|ion) failure'; then
    echo ": istiod does not accept the token of $(fact identity): was the service account deleted just now, or does istiod expect another audience? Its own log says why: npx istio-vm explain"
  fi
}

# Whether the sidecar has what its agent makes, and that is good now.
has_identity() { [ -s "$CERTS/cert-chain.pem" ] && [ -s "$CERTS/key.pem" ] && ! has_ended "$CERTS/cert-chain.pem"; }

# A key that was sent proves for as long as its certificate who has it: where it is not used, it is not kept.
forget_sent() {
  ! by_token || rm -f "$IDENTITY/cert-chain.pem" "$IDENTITY/key.pem"
}

# "Joined" is who has the identity.
verify_identity() {
  is_for "$CERTS/cert-chain.pem" "$(fact identity)" ||
    fail "the certificate in $CERTS/cert-chain.pem is not for $(fact identity): does something else write there?"
  ! has_ended "$CERTS/cert-chain.pem" || fail "the certificate in $CERTS/cert-chain.pem ended $(utc "$(certificate_end "$CERTS/cert-chain.pem")"), and the sidecar gets no new one: $(last_words)"
}

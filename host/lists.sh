# Revocation lists of the mesh's CAs, by which the sidecar refuses those who have been revoked. Its agent looks for them in
# one place only, in memory (CACRLFilePath in pkg/security of Istio), which leads to where they stay: from each boot on, by
# systemd-tmpfiles. Envoy takes others from there without starting anew.
# shellcheck shell=sh

LISTS=/var/lib/istio/crl
LISTS_LINK=/run/secrets/istio/crl
LISTS_AT_BOOT=/etc/tmpfiles.d/istio-vm.conf

has_lists() { has_file "$(facts file)" "$LISTS/ca-crl.pem"; }

# To the lists of STATE, or nowhere: what the mesh has no more says nothing of its other CAs, who are refused for it.
lead_to_lists() {
  if has_lists; then
    systemd-tmpfiles --create "$LISTS_AT_BOOT" || fail "systemd-tmpfiles can't make $LISTS_LINK: systemd-tmpfiles --create $LISTS_AT_BOOT says why"
    leads_to_lists || fail "$LISTS_LINK is there already: does something else bring revocation lists there? Take it away, then join again"
    return
  fi
  leads_to_lists || return 0
  rm "$LISTS_LINK"
  give_back_file - "$LISTS/ca-crl.pem" -
  give_back_file - "$LISTS_AT_BOOT" -
}

leads_to_lists() { [ "$(readlink "$LISTS_LINK")" = "$LISTS" ]; }

remove_link_to_lists() { ! leads_to_lists || rm "$LISTS_LINK"; }

# A host that somebody joined by hand, by Istio's own guide, and that the stack may take over (`adopt` in the STATE): the
# record is of that state, its sidecar runs until ours takes its place, and leave starts it again.
# shellcheck shell=sh

# Whether one that runs is taken over now.
adopts_sidecar() { adopting && systemctl is-active --quiet istio.service; }

# Whether the host's own sidecar ran before the first join.
had_sidecar() { grep -qsxE 'ready|running' "$ADOPTED"; }

# `record_sidecar RECORD`: how it does, and the environment that made its rules, which go with that.
record_sidecar() {
  local doing
  [ -n "$(fact adopt)" ] || return 0
  doing=stopped
  if systemctl is-active --quiet istio.service; then
    doing=running
    ! ready || doing=ready
    [ -z "$(istio_rules)" ] || keep_rules_env
  fi
  echo "$doing" >"$1/adopted"
}

# For doctor: the names of what was set by hand, which may be secret.
settings() {
  sed -n 's/^\(export \)\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\)=.*/setting \2/p' "$ENV_DIR/sidecar.env" "$ENV_DIR/cluster.env" 2>/dev/null || :
  [ ! -s /etc/istio/config/mesh ] || echo "setting /etc/istio/config/mesh"
}

# `set_aside ADDRESSES`: of a hosts file on stdin, those lines behind a mark that give istiod's name another address. But not
# what names something else as well, which would be lost.
set_aside() {
  local text address others
  text=$(cat && echo .)
  others=''
  for address in $(printf '%s' "${text%.}" | hosts_addresses); do
    among "$address" "$1" || others="$others $address"
  done
  printf '%s' "${text%.}" | awk -v aside="$ASIDE" -v others="$others " -v name="$(istiod_name)" '
    {
      line = $0; found = 0; more = 0
      sub(/#.*/, ""); gsub(/[\r\v\f]/, " "); $0 = tolower($0)
      for (i = 2; i <= NF; i++) if ($i == name || $i == name ".") found = 1; else if ($i !~ /^istiod[.-]/) more = 1
      print (found && !more && index(others, " " $1 " ") ? aside : "") line
    }'
}

# Whether the first join ended before it came to anything of the sidecar's: it goes on undisturbed.
undisturbed() { had_sidecar && [ ! -e "$HOME_DIR/state" ] && [ ! -e "$UNDO_UNIT" ] && systemctl is-active --quiet istio.service; }

# Its own sidecar again, with its own rules.
bring_back() {
  [ "$(systemctl show --property=NeedDaemonReload --value istio.service)" = no ] || systemctl daemon-reload # connections wait
  start_unit || say leave "the sidecar that was here before does not start: systemctl status istio"
  if ! grep -qx ready "$ADOPTED"; then
    release
  elif ! await_ready; then
    say leave "the sidecar that was here before runs, but is not ready: see /var/log/istio"
  fi
  rm -f "$RESTARTING"
  say leave "its own sidecar runs again"
}

# The certificates that were here before may have ended meanwhile; its sidecar would have renewed them. So where they are,
# those stay that ours has got, if they give the same identity under the same root. KEPT says so.
choose_certificates() {
  local STATE identity chain ended
  KEPT=''
  if ! had_sidecar || [ ! -s "$(saved_certificate cert-chain)" ]; then return 0; fi
  has_ended "$(saved_certificate cert-chain)" || return 0
  ended=$(certificate_end "$(saved_certificate cert-chain)")
  chain=$CERTS/cert-chain.pem
  STATE=$(last_state)
  identity=$(fact identity)
  if [ -f "$chain" ] && [ ! -L "$chain" ] &&
    cmp -s "$(saved_certificate root-cert)" "$CERTS/root-cert.pem" &&
    is_for "$(saved_certificate cert-chain)" "$identity" && is_for "$chain" "$identity" &&
    ! has_ended "$chain"; then
    KEPT="$chain $CERTS/key.pem"
    say leave "the certificate that was here before ended $(utc "$ended"): that which the sidecar has now stays, for the same identity"
  else
    say leave "the certificate that was here before ended $(utc "$ended"), and comes back as it was: its sidecar needs a new one, or a token: \
kubectl create token SERVICEACCOUNT --namespace NAMESPACE --audience istio-ca, into /var/run/secrets/tokens/istio-token"
  fi
}

is_kept() { case " ${KEPT:-} " in *" $1 "*) ;; *) return 1 ;; esac }

saved_certificate() { echo "$RECORD/saved/$(copy_of "$CERTS/$1.pem")"; }

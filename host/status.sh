# What runs here, and what somebody changed since the last join. Exit status 0: all is well; 1: not, or not joined.
# shellcheck shell=sh

status() {
  local altered
  if [ ! -d "$RECORD" ]; then
    altered=$(joined_without_record)
    say status "not joined${altered:+, but $altered}"
    exit 1
  fi
  PROBLEMS=0
  row identity "$(fact identity)"
  row owner "$(cat "$RECORD/owner")"
  if has_ended "$CERTS/cert-chain.pem"; then
    problem valid "its certificate ended $(utc "$(certificate_end "$CERTS/cert-chain.pem")")$(! by_token || echo ": pulumi up gives it a new one")"
  fi
  if ! by_token && has_ended "$IDENTITY/cert-chain.pem"; then
    problem sent "the certificate that it was sent ended $(utc "$(certificate_end "$IDENTITY/cert-chain.pem")"): pulumi up sends it a new one"
  fi
  row sidecar "istio-sidecar $(package_version)"
  if ready; then row ready "yes, in sync with istiod"; else problem ready "no: see /var/log/istio"; fi
  if [ -e "$HOME_DIR/joining" ]; then problem join "unfinished: pulumi up finishes it"; fi
  systemctl is-enabled --quiet istio.service 2>/dev/null || problem unit "not enabled: it would not start at boot"
  row captured "$(captured)"
  rules_as_wanted || problem iptables "$(unwanted_rules)"
  ! has_dns || leads_dns || problem dns "names of the mesh are not known: journalctl -u ${DNS_UNIT##*/}"
  each_file "$(facts file)" status_file
  altered=$(package_altered | grep -v "$ENV_DIR" || :) # the environment in it is but an example
  [ -z "$altered" ] || problem package "files differ from the package's: $altered"
  [ "$PROBLEMS" -eq 0 ] || exit 1
}

# What goes through the sidecar, in words.
captured() {
  local inbound outgoing
  inbound=$(inbound_ports) outgoing=$(outgoing_ranges)
  [ -n "$inbound$outgoing" ] || echo nothing
  printf '%s%s%s' "${inbound:+in $inbound}" "${inbound:+${outgoing:+, }}" "${outgoing:+out $outgoing}"
}

row() { printf '%-12s %s\n' "$1" "$2"; }
problem() {
  PROBLEMS=$((PROBLEMS + 1))
  row "$1" "! $2"
}

# `status_file MODE PATH SOURCE RESTART`: whether the file is what it shall be; of one that was sent, whether it is there.
status_file() {
  local difference
  case $3 in
    lines:* | block:*)
      if ! difference=$(content "$2" "$3" | diff -u --label joined --label "$2" - "$2" 2>&1); then
        problem "${2##*/}" "changed by hand since the last join:"
        printf '%s\n' "$difference" | sed 's/^/             /'
      fi
      ;;
    *)
      if [ ! -s "$2" ]; then
        problem certificate "$2 is missing"
      elif ! as_sent "$2" "$3"; then
        problem certificate "$2 is not what was sent"
      fi
      ;;
  esac
}

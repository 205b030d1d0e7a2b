# What runs here, and what somebody changed since the last join. Exit status 0: all is well; 1: not, or not joined.
# shellcheck shell=sh

status() {
  if [ ! -d "$RECORD" ]; then
    say status "not joined"
    exit 1
  fi
  problems=0
  row identity "$(fact identity)"
  row owner "$(cat "$RECORD/owner")"
  row sidecar "istio-sidecar $(installed_version)"
  if ready; then row ready "yes, in sync with istiod"; else problem ready "no: see /var/log/istio"; fi
  if [ -e "$HOME_DIR/joining" ]; then problem join "unfinished: pulumi up finishes it"; fi
  systemctl is-enabled --quiet istio.service 2>/dev/null || problem unit "not enabled: it would not start at boot"
  [ -n "$(istio_rules)" ] || problem iptables "no rules: traffic bypasses the sidecar"
  same cluster.env "$ENV_DIR/cluster.env" wanted_cluster_env
  same sidecar.env "$ENV_DIR/sidecar.env" wanted_sidecar_env
  same hosts /etc/hosts wanted_hosts
  for file in root-cert cert-chain key; do
    [ -s "$CERTS/$file.pem" ] || problem certificate "$CERTS/$file.pem is missing"
  done
  altered=$(altered_files)
  [ -z "$altered" ] || problem package "files differ from the package's: $altered"
  [ "$problems" -eq 0 ] || exit 1
}

# Files of the package that are not as it brought them; VERIFY=quick: by their times, without reading 130 MB.
altered_files() {
  if [ "${VERIFY:-}" = quick ]; then
    dpkg-query -L istio-sidecar | grep -v "^$ENV_DIR" |
      xargs -d '\n' sh -c 'find "$@" -maxdepth 0 -type f -newer /var/lib/dpkg/info/istio-sidecar.list' find 2>/dev/null || :
  else
    dpkg -V istio-sidecar 2>/dev/null | grep -v "$ENV_DIR" || :
  fi
}

row() { printf '%-12s %s\n' "$1" "$2"; }
problem() {
  problems=$((problems + 1))
  row "$1" "! $2"
}

# `same NAME PATH COMMAND`: whether the file is what COMMAND prints.
same() {
  if ! difference=$("$3" | diff -u --label joined --label "$2" - "$2" 2>&1); then
    problem "$1" "changed by hand since the last join:"
    printf '%s\n' "$difference" | sed 's/^/             /'
  fi
}

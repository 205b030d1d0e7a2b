# Shared by join and leave. Sourced by istio-vm, which sets STATE, HOST and SSH_PORT.
# shellcheck shell=sh

HOME_DIR=/var/lib/istio-vm      # ours alone: what was there before, and what we put there
RECORD=$HOME_DIR/record         # the host before the first join; exists only when it is complete
CERTS=/etc/certs
ENV_DIR=/var/lib/istio/envoy
ISTIOD_NAME=istiod.istio-system.svc
BEGIN='# BEGIN istio-vm (managed by pulumi-istio-vm)'
END='# END istio-vm'

# One line of progress: `say PHASE WORDS...`. A connection that is gone does not matter.
say() {
  phase=$1
  shift
  printf '%s: %-8s %s\n' "$HOST" "$phase" "$*" || :
}

# Ends with a reason. The caller's EXIT trap undoes what was begun.
fail() {
  printf '%s: %s\n' "$HOST" "$*" >&2 || :
  exit 3
}

# `fact KEY`: the value of the (first) line of STATE that begins with KEY; `facts KEY`: those of all of them.
facts() { printf '%s\n' "$STATE" | sed -n "s/^$1 //p"; }
fact() { facts "$1" | head -n 1; }

# `await SECONDS COMMAND...`: runs COMMAND until it succeeds, for at most so long.
await() {
  deadline=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.3
  done
}

# Whether the agent says that Envoy runs with a configuration from istiod. bash is there: istio-start.sh needs it.
ready() {
  timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/15021 &&
    printf "GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3 &&
    head -n 1 <&3' 2>/dev/null | grep -q ' 200 '
}

installed_version() {
  dpkg-query -W -f='${db:Status-Status} ${Version}\n' istio-sidecar 2>/dev/null | sed -n 's/^installed //p'
}

# `replace PATH MODE OWNER < CONTENT`: by rename, and only if something differs. Succeeds if it changed the content.
replace() {
  new=$(mktemp "$1.istio-vm.XXXXXX")
  cat >"$new"
  chmod "$2" "$new"
  chown "$3" "$new"
  if cmp -s "$new" "$1"; then
    chmod "$2" "$1"
    chown "$3" "$1"
    rm -f "$new"
    return 1
  fi
  mv -f "$new" "$1"
}

# /etc/hosts without our block.
foreign_hosts() { sed "/^$BEGIN\$/,/^$END\$/d" /etc/hosts; }

# Rules and chains of Istio in either kind of iptables; nothing when there are none.
istio_rules() {
  for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
    command -v $save >/dev/null || continue
    # The legacy tools make a table by looking at it: look only if the kernel has tables already.
    case $save in
      iptables-legacy-save) [ -s /proc/net/ip_tables_names ] || continue ;;
      ip6tables-legacy-save) [ -s /proc/net/ip6_tables_names ] || continue ;;
    esac
    $save 2>/dev/null | grep ISTIO || :
  done
}

# Whether istiod will be found under its name by /etc/hosts, now and after the next boot.
# shellcheck shell=sh

# `hosts_addresses`: of a hosts file on stdin, the addresses that istiod's name has in it, a line each: as glibc reads it,
# and Go's own resolver, which pilot-agent has (any blanks, any case, a dot at the end).
hosts_addresses() {
  awk -v name="$(istiod_name)" '
    { sub(/#.*/, ""); gsub(/[\r\v\f]/, " "); $0 = tolower($0); found = 0 }
    { for (i = 2; i <= NF; i++) if ($i == name || $i == name ".") found = 1 }
    found { print $1 }'
}

# `same_address A B`: an IPv6 address has many spellings.
same_address() {
  [ "$1" != "$2" ] || return 0
  case $1$2 in *:*) [ "$(canonical "$1")" = "$(canonical "$2")" ] ;; *) return 1 ;; esac
}
# `among ADDRESS ADDRESSES`: whether it is one of these.
among() {
  local one
  for one in $2; do ! same_address "$1" "$one" || return 0; done
  return 1
}
canonical() { getent ahosts "${1#::ffff:}" | awk 'NR == 1 { print $1 }'; }

check_hosts_file() {
  local wanted address other
  wanted=$(facts hosts | hosts_addresses)
  [ -n "$wanted" ] || return 0 # istiod is dialled by a name of its own
  other=''
  for address in $(beside_ours /etc/hosts | hosts_addresses); do
    among "$address" "$wanted" || other="$other $address"
  done
  if [ -n "$other" ] && adopting; then
    finding IVM715 "/etc/hosts has another address for $(istiod_name),$other, in a line with other names, which would be lost if it were set aside: give istiod a line of its own"
  elif [ -n "$other" ]; then
    finding IVM715 "/etc/hosts has another address for $(istiod_name),$other: remove that line"
  fi
  if sed -n 's/#.*//; s/^hosts:\(.*\)/ \1 /p' /etc/nsswitch.conf 2>/dev/null | grep -Eqv '[[:blank:]](files|resolve)[[:blank:]]'; then
    finding IVM715 "/etc/nsswitch.conf does not let /etc/hosts be asked, where join writes istiod's address: put \`files\` into its line \`hosts:\`"
  fi
  check_hosts_rewritten "$wanted"
}

# `check_hosts_rewritten ADDRESSES`: what makes /etc/hosts anew at each boot, and forgets what join wrote there.
check_hosts_rewritten() {
  local by template in_template address
  by=$(cloud_init_manages)
  if [ -n "$by" ]; then
    template=/etc/cloud/templates/hosts.debian.tmpl
    in_template=$(cat "$template" 2>/dev/null | hosts_addresses)
    ! (for address in $1; do among "$address" "$in_template" || exit 1; done) || by=''
  fi
  case $by in
    '') ;;
    /etc/*) finding IVM726 "cloud-init rewrites /etc/hosts at each boot (manage_etc_hosts in $by), and istiod's address would be gone: echo 'manage_etc_hosts: false' >/etc/cloud/cloud.cfg.d/zz-hosts.cfg" ;;
    *) finding IVM726 "cloud-init rewrites /etc/hosts at each boot (manage_etc_hosts in the instance's user-data or vendor-data, $by, over which /etc/cloud/cloud.cfg.d has no say), and istiod's address would be gone: printf '%s\\n' '$BEGIN' '$(facts hosts)' '$END' >>$template; or take manage_etc_hosts out of these data" ;;
  esac
  by=$(awk '$5 == "/etc/hosts" && $4 ~ /\/(overlay-)?(containers|pods)\/.*hosts$/ { print $4 }' /proc/self/mountinfo)
  [ -z "$by" ] || finding IVM726 "the container's runtime makes /etc/hosts anew whenever the container starts (from $by), and istiod's address would be gone: let it add the name (docker run$(printf ' --add-host %s' $(facts hosts | awk '{ print $2 ":" $1 }'))), or join the machine itself"
  by=$(grep -lsE '^[[:blank:]]*([Lf]\+|F|w\+?)[-!=~^$]*[[:blank:]]+"?/etc/hosts"?([[:blank:]]|$)' /etc/tmpfiles.d/*.conf /run/tmpfiles.d/*.conf \
    /usr/local/lib/tmpfiles.d/*.conf /usr/lib/tmpfiles.d/*.conf | tr '\n' ' ')
  [ -z "$by" ] || finding IVM726 "systemd-tmpfiles rewrites /etc/hosts at each boot, and istiod's address would be gone: remove its line from $by"
}

# The file by which cloud-init rewrites /etc/hosts as a whole at each boot; nothing if it does not. What comes later wins:
# the image's own files, then what the instance was given. (`localhost` only touches the line of 127.0.1.1.)
cloud_init_manages() {
  local data file
  data=/var/lib/cloud/instance
  command -v cloud-init >/dev/null || return 0
  [ ! -e /etc/cloud/cloud-init.disabled ] && [ ! -e /run/cloud-init/disabled ] || return 0
  ! grep -qsw cloud-init=disabled /proc/cmdline || return 0
  for file in /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg "$data/vendor-cloud-config.txt" "$data/vendor2-cloud-config.txt" "$data/cloud-config.txt"; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
  done | xargs -r awk '
    FNR == 1 { listing = 0 }
    /^cloud_init_modules[ \t]*:/ { listing = 1; runs = 0 }
    /^[^ \t#-]/ && !/^cloud_init_modules/ { listing = 0 }
    listing && /^[^#]*update[_-]etc[_-]hosts/ { runs = 1 }
    /^({[ \t]*)?["\047]?manage_etc_hosts["\047]?[ \t]*:/ {
      value = tolower($0)
      sub(/^[^:]*:[ \t]*/, "", value)
      gsub(/["\047\r},]|[ \t]#.*/, "", value)
      gsub(/[ \t]+$/, "", value)
      by = value ~ /^(true|yes|on|1|template)$/ ? FILENAME : ""
    }
    END { if (runs && by != "") print by }'
}

# The package istio-sidecar, in whatever format the host takes it. A format is a file of its own with these verbs:
#
#   package_architecture       for which this host takes packages, as its package manager calls it
#   package_status             nothing, if the package manager never heard of it
#   package_version            of the one that is installed; nothing, if none is
#   package_put FILE           installs it, without asking any repository. Waits for whoever is at work; a sidecar that
#                              runs is not touched
#   package_keepable           whether the installed one can be kept
#   package_keep FILE          keeps the installed one, as it is;  KEPT_PACKAGE  how such a file is called
#   package_restore FILE       installs it again, as package_put does
#   package_remove             with all that the package manager remembers of it; fails if it can't be, and says why
#   package_altered            files of it that are not as it brought them; VERIFY=quick: by their times, without reading
#                              130 MB
#   package_folders            where the package manager writes;  PACKAGE_SCRIPTS  the one from which it runs scripts, if any
#   PACKAGE_FORMAT             how its files end
#   PACKAGE_SHOW, PACKAGE_GET  how a person looks at it, and gets the programs that it needs
#   package_busy               whoever is at work with the package manager, a line each
#   PACKAGE_LEFTOVERS          what an installation that was killed leaves
# shellcheck shell=sh

# The package manager that a host lives by knows itself; the other one may be there as a mere program.
if command -v rpm >/dev/null && ! grep -qsx 'Package: dpkg' /var/lib/dpkg/status; then
  # shellcheck source-path=SCRIPTDIR source=rpm.sh
  . "$here/rpm.sh"
else
  # shellcheck source-path=SCRIPTDIR source=deb.sh
  . "$here/deb.sh"
fi

# As the program sent it, or as it was fetched, until it is installed.
SENT_PACKAGE=$HOME_DIR/istio-sidecar.$PACKAGE_FORMAT
# For which somebody else's use of the package manager is waited out.
PACKAGE_SECONDS=120

package_free() { [ -z "$(package_busy)" ]; }

# `lock_holders FILE...`: the commands that have a lock on one of them. By the open file, not by the lock's inode: on an
# overlay, as in a container, the kernel may name another one than the file has.
lock_holders() {
  local pid open
  awk '$2 != "->" { print $5 }' /proc/locks | sort -u | while read -r pid; do
    for open in "/proc/$pid/fd"/*; do
      case " $* " in *" $(readlink "$open") "*) command_of "$pid" && break ;; esac
    done
  done
}

# `patient SIGN COMMAND...`: waits for whoever is at work; for one who comes in between, COMMAND gives up at once, saying SIGN,
# before it has done anything. Prints what was said.
patient() {
  local sign deadline said failed
  sign=$1
  shift
  uptime_now
  deadline=$((UPTIME + PACKAGE_SECONDS))
  while :; do
    failed=''
    said=$("$@" 2>&1) || failed=yes
    uptime_now
    case $failed:$said in
      yes:*"$sign"*) [ "$UPTIME" -ge "$deadline" ] || { sleep 1 && continue; } ;;
    esac
    printf '%s\n' "$said" | tail -n 15
    [ -z "$failed" ] || return 1
    return 0
  done
}

command_of() { { tr '\0\n' '  ' <"/proc/$1/cmdline" && echo; } 2>/dev/null; }

# As STATE names it.
architecture() { package_architecture | sed 's/^x86_64$/amd64/; s/^aarch64$/arm64/'; }

# Digest and source of the one that this host takes, of those that STATE names; nothing, if it has none for it.
fitting_package() { facts package | sed -n "s,^$PACKAGE_FORMAT $(architecture) ,,p"; }

check_package() {
  local architecture package
  architecture=$(architecture) package=$(fitting_package)
  case $architecture:$package in
    amd64: | arm64:) finding IVM730 "sidecar has no $PACKAGE_FORMAT for $architecture: add sidecar.$PACKAGE_FORMAT.$architecture" ;;
    *:*\ http* | *:*\ secret-url) command -v curl >/dev/null || command -v wget >/dev/null ||
      finding IVM709 "it has neither curl nor wget to fetch the package: install one, or give the package as a file instead of a url" ;;
  esac
  [ -z "$(package_version)" ] || package_keepable ||
    finding IVM731 "the istio-sidecar that is there, $(package_version), can't be kept, and so not be given back: this rpm is too old for that (rpmdb --exportdb); remove it first: rpm -e istio-sidecar"
}

# `has_package SHA256`: whether join has installed that one. `is_sent SHA256`: whether it lies there.
has_package() { [ -n "$(package_version)" ] && [ "$(cat "$HOME_DIR/package" 2>/dev/null)" = "$1" ]; }
is_sent() { [ "$(sha256sum "$SENT_PACKAGE" 2>/dev/null | cut -d ' ' -f 1)" = "$1" ]; }

install_package() {
  local digest source from actual
  read -r digest source <<EOF
$(fitting_package)
EOF
  if has_package "$digest"; then
    say install "ok: istio-sidecar $(package_version) is there"
    return
  fi
  case $source in
    secret-url)
      from="the URL in its secret"
      fetch "$SENT_PACKAGE" <"$here/package-url.$PACKAGE_FORMAT.$(architecture)" || fail "can't fetch the sidecar package from $from"
      ;;
    http://* | https://*)
      from=$source
      printf '%s\n' "$source" | fetch "$SENT_PACKAGE" || fail "can't fetch the sidecar package from $from"
      ;;
    *)
      from="where pulumi runs"
      [ -e "$SENT_PACKAGE" ] || fail "the sidecar package was not sent: run pulumi up again"
      ;;
  esac
  actual=$(sha256sum "$SENT_PACKAGE" | cut -d ' ' -f 1)
  if [ "$actual" != "$digest" ]; then
    rm -f "$SENT_PACKAGE"
    fail "the sidecar package ($PACKAGE_FORMAT for $(architecture)) from $from has SHA-256 $actual, but the configuration's sha256 is $digest"
  fi
  keep_previous_package
  arm
  package_put "$SENT_PACKAGE"
  rm -f "$SENT_PACKAGE"
  echo "$digest" >"$HOME_DIR/package"
  RESTART="$RESTART package"
  say install "ok: istio-sidecar $(package_version)"
}

# `fetch FILE`: from the URL on stdin, which may be in no list of processes, and in no message.
fetch() {
  if command -v curl >/dev/null; then
    printf 'url = "%s"\n' "$(cat)" | curl -fsSL --connect-timeout 10 --max-time 600 -o "$1" --config -
  else
    wget -q -T 10 -O "$1" --input-file=-
  fi
}

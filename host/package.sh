# The package istio-sidecar, in whatever format the host takes it. A format is a file of its own with these verbs:
#
#   package_status             nothing, if the package manager never heard of it
#   package_version            of the one that is installed; nothing, if none is
#   package_put FILE WHAT      installs it, without asking any repository; WHAT can't be done to it, should that fail.
#                              Waits for whoever is at work; a sidecar that runs is not touched
#   package_keep FILE          packs the installed one, as it is
#   package_remove             with all that the package manager remembers of it; fails if it can't be, and says why
#   package_altered            files of it that are not as it brought them; VERIFY=quick: by their times, without reading
#                              130 MB
#   PACKAGE_FORMAT             how its files end
#   PACKAGE_MANAGER, PACKAGE_SYSTEMS, PACKAGE_GET
#                              the program that must be there, whose it is, how to get programs
#   package_busy               whoever is at work with the package manager, a line each
#   PACKAGE_LEFTOVERS          what an installation that was killed leaves
# shellcheck shell=sh

# There is but this one.
# shellcheck source-path=SCRIPTDIR source=deb.sh
. "$here/deb.sh"

# As the program sent it, or as it was fetched, until it is installed.
SENT_PACKAGE=$HOME_DIR/istio-sidecar.$PACKAGE_FORMAT
# For which somebody else's use of the package manager is waited out.
PACKAGE_SECONDS=120

package_free() { [ -z "$(package_busy)" ]; }

# `has_package SHA256`: whether join has installed that one. `is_sent SHA256`: whether it lies there.
has_package() { [ -n "$(package_version)" ] && [ "$(cat "$HOME_DIR/package" 2>/dev/null)" = "$1" ]; }
is_sent() { [ "$(sha256sum "$SENT_PACKAGE" 2>/dev/null | cut -d ' ' -f 1)" = "$1" ]; }

install_package() {
  local digest source from actual
  digest=$(fact package | cut -d ' ' -f 1) source=$(fact package | cut -d ' ' -f 2)
  if has_package "$digest"; then
    say install "ok: istio-sidecar $(package_version) is there"
    return
  fi
  case $source in
    secret-url)
      from="the URL in the secret of sidecar.url"
      fetch_secret "$SENT_PACKAGE" || fail "can't fetch the sidecar package from $from"
      ;;
    http://* | https://*)
      from=$source
      fetch "$source" "$SENT_PACKAGE" || fail "can't fetch the sidecar package from $from"
      ;;
    *)
      from="where pulumi runs"
      [ -e "$SENT_PACKAGE" ] || fail "the sidecar package was not sent: run pulumi up again"
      ;;
  esac
  actual=$(sha256sum "$SENT_PACKAGE" | cut -d ' ' -f 1)
  if [ "$actual" != "$digest" ]; then
    rm -f "$SENT_PACKAGE"
    fail "the sidecar package from $from has SHA-256 $actual, but sidecar.sha256 is $digest"
  fi
  keep_previous_package
  arm
  package_put "$SENT_PACKAGE" installed
  rm -f "$SENT_PACKAGE"
  echo "$digest" >"$HOME_DIR/package"
  RESTART="$RESTART package"
  say install "ok: istio-sidecar $(package_version)"
}

# From a URL that may be in no list of processes, and in no message.
fetch_secret() {
  if command -v curl >/dev/null; then
    printf 'url = "%s"\n' "$(cat "$here/package-url")" |
      curl -fsSL --connect-timeout 10 --max-time 600 -o "$1" --config -
  else
    wget -q -T 10 -O "$1" --input-file="$here/package-url"
  fi
}

fetch() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 10 --max-time 600 -o "$2" "$1"
  else
    wget -q -T 10 -O "$2" "$1"
  fi
}

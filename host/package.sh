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
#   PACKAGE_LOCK               the file that is locked by whoever is at work
#   PACKAGE_LEFTOVERS          what an installation that was killed leaves
# shellcheck shell=sh

# There is but this one.
# shellcheck source-path=SCRIPTDIR source=deb.sh
. "$here/deb.sh"

install_package() {
  local digest source file actual
  digest=$(fact package | cut -d ' ' -f 1) source=$(fact package | cut -d ' ' -f 2)
  if [ -n "$(package_version)" ] && [ "$(cat "$HOME_DIR/package" 2>/dev/null)" = "$digest" ]; then
    say install "ok: istio-sidecar $(package_version) is there"
    remove_copy "$source"
    return
  fi
  file=$HOME_DIR/istio-sidecar.$PACKAGE_FORMAT
  case $source in
    secret-url) fetch_secret "$file" || fail "can't fetch the sidecar package from the URL in the secret of sidecar.url" ;;
    http://* | https://*) fetch "$source" "$file" || fail "can't fetch the sidecar package from $source" ;;
    *) cp "$source" "$file" || fail "the sidecar package is not at $source: pulumi up copies it there" ;;
  esac
  actual=$(sha256sum "$file" | cut -d ' ' -f 1)
  if [ "$actual" != "$digest" ]; then
    rm -f "$file"
    fail "the sidecar package from $source has SHA-256 $actual, but sidecar.sha256 is $digest"
  fi
  keep_previous_package
  arm
  package_put "$file" installed
  rm -f "$file"
  remove_copy "$source"
  echo "$digest" >"$HOME_DIR/package"
  RESTART="$RESTART package"
  say install "ok: istio-sidecar $(package_version)"
}

# The package as `pulumi up` copied it here, if it did.
remove_copy() {
  case $1 in /var/tmp/*) rm -f "$1" ;; esac
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

# Gives the host back as it was before the first join, if this stack joined it.
# shellcheck shell=sh

leave() {
  local owner
  rm -f "/var/tmp/istio-sidecar-"*".$PACKAGE_FORMAT" # as copied here for a join that then was refused
  if [ ! -d "$RECORD" ]; then
    rm -rf "$HOME_DIR"
    say left "it was not joined: nothing to undo"
    return
  fi
  owner=$(cat "$RECORD/owner")
  if [ "$owner" != "$(fact owner)" ]; then
    say left "it was joined by another stack, with owner mark $owner: nothing of this one is here"
    return
  fi
  give_back
  say left "the host is as it was"
}

# Who is there for a join, and how the two find each other. One session brings what a join needs, in the folder from which
# this runs, and stays; the join itself is another session, which takes the folder over:
#
#   for       the digest of the STATE that it was brought for; the join that finds it renames it to
#   taken     from then on the folder is the join's to remove; as long as it is there, it has a lock on this file
#   clocks    what time it was where pulumi runs, and here, in seconds, when it was brought
#   awaiting  the join waits to be confirmed: this one, not one that was cut off before
#   attended  somebody was here who would confirm the change; as long as he is, he has a lock on the folder
# shellcheck shell=sh

# `attend DIGEST PACKAGE...`: until the join is over; the session ends with it, or it with the session. What it prints is
# for ssh/accompany.ts: which package it wants, that all is there, that the join waits to be confirmed, that it is over; and
# every five seconds that the session is not lost. Each PACKAGE is one that could be brought: FORMAT/ARCHITECTURE/SHA256.
attend() {
  local digest package waiting
  digest=$1
  shift
  TICKS=0 waiting=''
  if [ ! -e "$here/taken" ]; then
    : >"$here/attended"
    [ ! -e "$here/epoch" ] || echo "$(cat "$here/epoch") $(date +%s)" >"$here/clocks"
    package=$(printf '%s\n' "$@" | sed -n "s,^$PACKAGE_FORMAT/$(architecture)/,,p")
    if [ -n "$package" ] && ! has_package "$package" && ! is_sent "$package"; then
      echo "package $here $package"
      until [ -e "$here/received" ]; do tick; done
    fi
    printf '%s\n' "$digest" >"$here/for.new"
    mv "$here/for.new" "$here/for"
  fi
  echo ready
  while [ -d "$here" ]; do
    if [ -z "$waiting" ] && [ -e "$here/awaiting" ]; then
      waiting=yes
      echo awaiting
    fi
    tick
  done
  echo over
}

tick() {
  TICKS=$((TICKS + 1))
  if [ $((TICKS % 25)) -eq 0 ]; then
    echo here
    # A join that was killed: nobody else would remove what was brought for it.
    ! unlocked "$here/taken" || rm -rf "$here"
  fi
  sleep 0.2
}

# `receive FILE`: the package, from a FIFO, or `-` for stdin. It is no secret, and too large for memory.
receive() {
  mkdir -p "$HOME_DIR"
  chmod 0700 "$HOME_DIR"
  cat "$1" >"$SENT_PACKAGE.new" || fail "can't write $SENT_PACKAGE: is the disk full?"
  mv "$SENT_PACKAGE.new" "$SENT_PACKAGE"
  : >"$here/received"
}

# Whether whoever would confirm the change was here, and is gone.
deserted() { [ -e "$here/attended" ] && unlocked "$here"; }
in_company() { ! deserted; }

# Nobody's sidecar is disturbed for a change that can only be taken back.
require_company() { await "$ABSENT_SECONDS" in_company || fail "$DESERTED"; }
DESERTED="whoever would confirm the change is gone: pulumi up was interrupted, failed elsewhere, or lost this host; run it again"

# Who is there for a join, and how the two find each other. One session brings what a join needs, in the folder from which
# this runs, and stays; the join itself is another session, which takes the folder over:
#
#   for       the digest of the STATE that it was brought for; the join that finds it renames it to
#   taken     from then on the folder is the join's to remove
#   attended  somebody was here who would confirm the change; as long as he is, he has a lock on the folder
# shellcheck shell=sh

# `attend DIGEST`: until the session ends. What it prints is for ssh/accompany.ts.
attend() {
  local teller
  if [ ! -e "$here/taken" ]; then
    printf '%s\n' "$1" >"$here/for.new"
    : >"$here/attended"
    mv "$here/for.new" "$here/for"
  fi
  echo ready
  tell "$1" </dev/null 7<&- &
  teller=$!
  cat >/dev/null
  kill "$teller" 2>/dev/null || :
  mv "$here/for" "$here/dropped" 2>/dev/null || : # from now on no join can take it over
}

# Tells when the join waits to be confirmed, and when it is over; and every five seconds that the session is not lost.
tell() {
  local ticks waiting
  ticks=0 waiting=''
  while [ -d "$here" ]; do
    if [ -z "$waiting" ] && is_awaiting "$1"; then
      waiting=yes
      echo awaiting
    fi
    ticks=$((ticks + 1))
    [ $((ticks % 25)) -ne 0 ] || echo here
    sleep 0.2
  done
  echo over
}

# Whether whoever would confirm the change was here, and is gone.
deserted() { [ -e "$here/attended" ] && flock -n "$here" true; }
in_company() { ! deserted; }

# Nobody's sidecar is disturbed for a change that can only be taken back.
require_company() { await "$ABSENT_SECONDS" in_company || fail "$DESERTED"; }
DESERTED="whoever would confirm the change is gone: pulumi up was interrupted, failed elsewhere, or lost this host; run it again"

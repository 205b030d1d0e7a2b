# The files that STATE puts on a host: what join writes, undo and leave give back, and status compares is what its lines
# `file MODE PATH SOURCE [restart]` say.
# shellcheck shell=sh
#
#   MODE     as for chmod; `-` for a file that is the operator's
#   SOURCE   lines:KEY   the lines of STATE under KEY
#            block:KEY   the same, as our block in a file that is the operator's
#            token:ID    the sidecar's agent makes it, by a token of who the host shall be (identity.sh)
#            certificate:ID    the same, by the certificate that was sent
#            roots:...   roots that were sent; the agent keeps them up to date
#            lists:...   revocation lists that were sent (lists.sh), and this is their digest
#            else        what was sent has the file's name; this says which it is, for the sidecar's agent may since
#                        have put something of its own there. Files that were sent are written together: a key, and the
#                        certificate that belongs to it
#   restart  the sidecar must start anew to see a change

BEGIN='# BEGIN istio-vm (managed by pulumi-istio-vm)'
END='# END istio-vm'
# Before a line of the operator's that must not count as long as the host is ours.
ASIDE='# set aside by istio-vm: '

# `each_file LINES COMMAND...`: runs `COMMAND... MODE PATH SOURCE RESTART` for each of these.
each_file() {
  local lines mode path source restart
  lines=$1
  shift
  while read -r mode path source restart; do
    [ -z "$path" ] || "$@" "$mode" "$path" "$source" "$restart"
  done <<EOF
$lines
EOF
}

# `has_file LINES PATH`: whether one of these lines is that file's.
has_file() { printf '%s\n' "$1" | cut -d ' ' -f 2 | grep -qxFe "$2"; }

# Which files were sent, as join notes it.
sent_files() { facts file | awk '$3 !~ /^(lines|block|lists):/ { print $1, $2, $3 }'; }

# `as_sent PATH SOURCE`: whether what was sent is there, or what the agent has since put in its place, of which nobody can
# tell. In IDENTITY it puts nothing.
as_sent() {
  if [ -L "$1" ] || [ ! -s "$1" ]; then return 1; fi
  case "$1 $2" in
    "$IDENTITY"/*' sha256:'* | *' lists:'*) [ "${2%%:*}:$(sha256sum "$1" | cut -c 1-16)" = "$2" ] ;;
  esac
}

# `content PATH SOURCE`: prints the file as it shall be. The port of this SSH session is kept out of interception even
# where NAT hides it from the configuration.
content() {
  case $2 in
    lines:*)
      facts "${2#lines:}" | awk -v port="$SSH_PORT" '
        /^ISTIO_LOCAL_EXCLUDE_PORTS=/ && port != "" && ("," substr($0, index($0, "=") + 1) ",") !~ ("," port ",") { $0 = $0 "," port }
        { print }'
      ;;
    block:*) beside_ours "$1" && { [ -z "$(facts "${2#block:}")" ] || { echo "$BEGIN" && facts "${2#block:}" && echo "$END"; }; } ;;
    *) cat "$here/${1##*/}" ;;
  esac
}

# `beside_ours PATH`: what of the operator's file stands there beside our block.
beside_ours() {
  local text
  if ! adopting; then
    foreign "$1"
    return
  fi
  text=$(foreign "$1" && echo .) || return 1
  printf '%s' "${text%.}" | set_aside "$(facts hosts | hosts_addresses)"
}

# `foreign PATH`: prints the file without our block, and as if nothing of it had been set aside; a last line that is not ended gets its line break. Of a block of
# which somebody removed the end, only what join wrote goes: what follows may be the operator's. An editor may have ended
# the lines in another way.
foreign() {
  [ -e "$1" ] || return 0
  awk -v begin="$BEGIN" -v end="$END" -v aside="$ASIDE" '
    function keep() { printf "%s", inside; inside = ""; open = 0 }
    { line = $0; sub(/\r$/, "", line) }
    line == begin { keep(); open = 1; next }
    line == end { inside = ""; open = 0; next }
    open && NF == 2 && $2 ~ /^istiod[a-z0-9-]*\.[a-z0-9-]+\.svc\r?$/ { next }
    open { inside = inside $0 "\n"; next }
    index($0, aside) == 1 { $0 = substr($0, length(aside) + 1) }
    { print }
    END { keep() }' "$1"
}

# `place PATH SOURCE`: where the file really is. An operator's file may be a link, which stays one; where others than root
# can make links, none is followed.
place() {
  case $2 in
    block:*) readlink -f "$1" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# `copy_of PATH`: by which name one of it is kept in a folder.
copy_of() { printf '%s' "$1" | tr / _; }

OURSELVES=$(id -u) # root; in tests, perhaps not

# `staged PATH`: where a file is made before it is moved to its place, which is done as a whole or not at all. That is in
# the next folder above into which only root can write: elsewhere somebody could put a link in our way.
staged() {
  local folder
  folder=$(readlink -m "${1%/*}/")
  until [ "$folder" = / ] || { [ -d "$folder" ] && [ -z "$(find "$folder" -maxdepth 0 '(' ! -user "$OURSELVES" -o -perm /022 ')')" ]; }; do
    folder=$(dirname "$folder")
  done
  printf '%s/.istio-vm.%s\n' "${folder%/}" "$(copy_of "$1")"
}

# `owner_of PATH`: of one that join makes. What says what root is to do must be root's.
owner_of() {
  case $1 in
    /etc/tmpfiles.d/* | /etc/systemd/*) echo root:root ;;
    *) echo istio-proxy:istio-proxy ;;
  esac
}

# `stage PATH MODE OWNER COMMAND...`: makes what `put` then moves to its place: what COMMAND prints. Or it fails.
stage() {
  local path mode owner new
  path=$1 mode=$2 owner=$3
  shift 3
  [ -d "${path%/*}" ] || install -d -o "${owner%:*}" -g "${owner#*:}" "${path%/*}"
  new=$(staged "$path")
  rm -f "$new"
  umask 077
  "$@" >"$new" && chmod "$mode" "$new" && chown "$owner" "$new" || cannot_write "$path" "$new"
  umask 022
}

# `stage_like PATH LIKE COMMAND...`: the same for a file that is the operator's, with all that LIKE has beside its content.
stage_like() {
  local path like new
  path=$1 like=$2
  shift 2
  new=$(staged "$path")
  rm -rf "$new"
  if [ ! -e "$like" ]; then
    stage "$path" 0644 root:root "$@"
    return
  fi
  cp -aL "$like" "$new" && "$@" >"$new" || cannot_write "$path" "$new"
}

cannot_write() {
  rm -f "$2"
  fail "can't write $1: is the disk full? What was recorded stays in $RECORD: make room, then join or leave again"
}

# `put PATH`: moves what was staged to its place, unless just that lies there.
put() {
  local new
  new=$(staged "$1")
  if [ -f "$1" ] && [ ! -L "$1" ] && [ ! -L "$new" ] && cmp -s "$new" "$1" && [ "$(stat -c '%a %u:%g' "$new")" = "$(stat -c '%a %u:%g' "$1")" ]; then
    rm -f "$new"
    return
  fi
  move "$new" "$1"
}

# `move NEW PATH`: or, where that can't be done since the file is one that was mounted there, writes it. Or it fails.
move() {
  local old reason
  ! mv -fT "$1" "$2" 2>/dev/null || return 0
  old=$HOME_DIR/overwritten
  cp -p "$2" "$old" 2>/dev/null || rm -f "$old"
  if reason=$(cp -pT "$1" "$2" 2>&1) && cmp -s "$1" "$2"; then
    rm -f "$1" "$old"
    return
  fi
  [ ! -e "$old" ] || cp -pT "$old" "$2" 2>/dev/null || :
  rm -f "$1" "$old"
  fail "can't write $2: $reason"
}

# `replace PATH MODE OWNER COMMAND...`: makes the file what COMMAND prints.
replace() {
  stage "$@"
  put "$1"
}

# `put_back SAVED PATH`: with all that belongs to it, such as its times.
put_back() {
  local new
  new=$(staged "$2")
  rm -rf "$new"
  cp -a "$1" "$new" || cannot_write "$2" "$new"
  move "$new" "$2"
}

# `keep_copy PATH SOURCE FOLDER`: with all that belongs to it. Of a file that is not there, none.
keep_copy() {
  local from
  from=$(place "$1" "$2")
  [ ! -e "$from" ] && [ ! -L "$from" ] || cp -a "$from" "$3/$(copy_of "$1")"
}

# What a `stage` that was killed left.
remove_staged() { rm -f "$(staged "$(place "$2" "$3")")"; }

# The files that STATE puts on a host: what join writes, undo and leave give back, and status compares is what its lines
# `file MODE PATH SOURCE [restart]` say.
# shellcheck shell=sh
#
#   MODE     as for chmod; `-` for a file that is the operator's
#   SOURCE   lines:KEY   the lines of STATE under KEY
#            block:KEY   the same, as our block in a file that is the operator's
#            else        what was sent has the file's name; this says which it is, for the sidecar's agent may since
#                        have put something of its own there. Files that were sent are written together: a key, and the
#                        certificate that belongs to it
#   restart  the sidecar must start anew to see a change

BEGIN='# BEGIN istio-vm (managed by pulumi-istio-vm)'
END='# END istio-vm'

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
sent_files() { facts file | awk '$3 !~ /^(lines|block):/ { print $1, $2, $3 }'; }

# `content PATH SOURCE`: prints the file as it shall be. The port of this SSH session is kept out of interception even
# where NAT hides it from the configuration.
content() {
  case $2 in
    lines:*)
      facts "${2#lines:}" | awk -v port="$SSH_PORT" '
        /^ISTIO_LOCAL_EXCLUDE_PORTS=/ && port != "" && ("," substr($0, index($0, "=") + 1) ",") !~ ("," port ",") { $0 = $0 "," port }
        { print }'
      ;;
    block:*) foreign "$1" && echo "$BEGIN" && facts "${2#block:}" && echo "$END" ;;
    *) cat "$here/${1##*/}" ;;
  esac
}

# `foreign PATH`: prints the file without our block; a last line that is not ended gets its line break. Of a block of
# which somebody removed the end, only what join wrote goes: what follows may be the operator's.
foreign() {
  awk -v begin="$BEGIN" -v end="$END" -v name="$ISTIOD_NAME" '
    function keep() { printf "%s", inside; inside = ""; open = 0 }
    $0 == begin { keep(); open = 1; next }
    $0 == end { inside = ""; open = 0; next }
    open && NF == 2 && $2 == name { next }
    open { inside = inside $0 "\n"; next }
    { print }
    END { keep() }' "$1"
}

# `replace PATH MODE OWNER COMMAND...`: makes the file what COMMAND prints, by rename, and only if that differs.
replace() {
  local path mode owner new
  path=$1 mode=$2 owner=$3
  shift 3
  new=$(mktemp "$path.istio-vm.XXXXXX")
  if ! { "$@" >"$new" && chmod "$mode" "$new" && chown "$owner" "$new"; }; then
    rm -f "$new"
    fail "can't write $path: is the disk full?"
  fi
  if cmp -s "$new" "$path"; then
    rm -f "$new"
    chmod "$mode" "$path"
    chown "$owner" "$path"
  else
    mv -f "$new" "$path"
  fi
}

# `replace_foreign PATH LIKE COMMAND...`: the same for a file that is the operator's, with mode and owner of LIKE.
replace_foreign() {
  local path like
  path=$1 like=$2
  shift 2
  replace "$path" "$(stat -Lc %a "$like")" "$(stat -Lc %u:%g "$like")" "$@"
}

# `put_back SAVED PATH`: by rename, for a full disk must not cost the host its /etc/passwd.
put_back() {
  # The folder may be another user's: nothing is written through a link that lies there.
  if ! cp -a --remove-destination "$1" "$2.istio-vm"; then
    rm -f "$2.istio-vm"
    fail "can't write $2: is the disk full? What was recorded stays in $RECORD: make room, then leave or join again"
  fi
  mv -f "$2.istio-vm" "$2"
}

# `copy_of PATH`: by which name one of it is kept in a folder.
copy_of() { printf '%s' "$1" | tr / _; }

# `keep_copy PATH FOLDER`: with all that belongs to it. Of a file that is not there, none.
keep_copy() {
  [ ! -e "$1" ] && [ ! -L "$1" ] || cp -a "$1" "$2/$(copy_of "$1")"
}

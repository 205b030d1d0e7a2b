# Whether join can write what it will write, and whether that is nobody else's.
# shellcheck shell=sh

# Where the package, the record and the units go, besides the files of the state and what the package manager writes.
WRITTEN_FOLDERS="/etc /etc/systemd/system /lib/systemd/system /usr/local/bin /var/lib /var/log"
# What makes the user istio-proxy, if there is none.
WRITTEN_FOR_USER="/etc/passwd /etc/group /etc/shadow /etc/gshadow"
# Of both folders that the sidecar has for itself: what join, the package and the agent put there.
OUR_FILES='((root-cert|cert-chain|key)\.pem|(cluster|sidecar)\.env|envoy_.*\.json)(\.rpm[a-z]+)?'
MIN_FREE_MB=400
MIN_FREE_INODES=500
MIN_FREE_MB_RUN=4 # for the bundle

check_space() {
  local dir free systems path inodes min
  for dir in /usr /var /etc; do
    free=$(df -Pm "$dir" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$MIN_FREE_MB" ] || finding IVM712 "$dir has $free MB free: the sidecar needs $MIN_FREE_MB"
  done
  # Any file system of its own below them, and files, which may run out before the room does; some count none.
  systems=$(stat -f -c '%i %n %a %S %c %d' /usr /var /etc /usr/local/bin /var/lib /run 2>/dev/null | awk '
    !seen[$1]++ { print $2, ($2 ~ /^\/(usr|var|etc)$/ ? "-" : int($3 * $4 / 1048576)), ($5 > 0 ? $6 : "-") }')
  while read -r path free inodes; do
    min=$MIN_FREE_MB
    [ "$path" != /run ] || min=$MIN_FREE_MB_RUN
    [ "${free:--}" = - ] || [ "$free" -ge "$min" ] || finding IVM712 "$path has $free MB free: join needs $min"
    [ "${inodes:--}" = - ] || [ "$inodes" -ge "$MIN_FREE_INODES" ] ||
      finding IVM712 "$path has room for $inodes more files, whatever their size (df -i $path): the sidecar needs $MIN_FREE_INODES"
  done <<EOF
$systems
EOF
}

check_writable() {
  local path paths folder
  paths=$(written_paths | sort -u)
  for path in $paths; do
    writable "$path" || finding IVM725 "it can't write $path: $(why_unwritable "$path")"
  done
  # In such a folder files can be made, but not replaced.
  # shellcheck disable=SC2086 # paths without blanks
  for path in $(lsattr -d $paths 2>/dev/null | awk '$1 ~ /a/ && $1 !~ /i/ { print $2 }'); do
    [ ! -d "$path" ] || finding IVM725 "it can't write $path: $(why_unwritable "$path")"
  done
  # shellcheck disable=SC2086 # there may be none
  paths=$(df --output=file,target /usr/local/bin $PACKAGE_SCRIPTS 2>/dev/null | awk '
    NR == FNR { options[$2] = $4; next }
    FNR > 1 && index("," options[$2] ",", ",noexec,") { print }' /proc/self/mounts -)
  while read -r path folder; do
    [ -z "$path" ] ||
      finding IVM725 "nothing can be run from $path, as the package's programs and scripts must: mount -o remount,exec $folder, and the same in /etc/fstab"
  done <<EOF
$paths
EOF
}

# What is there of all that will be written: a file and its folder, or the nearest folder above.
written_paths() {
  local path
  # shellcheck disable=SC2086 # paths without blanks
  {
    printf '%s\n' $WRITTEN_FOLDERS
    package_folders
    getent passwd istio-proxy >/dev/null || printf '%s\n' $WRITTEN_FOR_USER
    facts file | cut -d ' ' -f 2 | sed 'p; s,/[^/]*$,,'
  } | while read -r path; do
    while [ ! -e "$path" ] && [ -n "$path" ]; do path=${path%/*}; done
    echo "${path:-/}"
  done
}

# `writable PATH`: tries, and changes nothing: a file is opened for it, and of a folder the kernel is asked.
writable() {
  if [ -f "$1" ]; then (: <>"$1") 2>/dev/null; else [ -w "$1" ]; fi
}

why_unwritable() {
  local folder
  folder=$(mount_of "$1")
  case $(lsattr -d "$1" 2>/dev/null) in
    *i*" $1") echo "immutable: chattr -i $1" ;;
    *a*" $1") echo "append-only: chattr -a $1" ;;
    *)
      # What is mounted there last is what counts.
      if awk -v at="$folder" '$2 == at { options = $4 } END { exit !index("," options ",", ",ro,") }' /proc/self/mounts; then
        echo "read-only file system: mount -o remount,rw $folder"
      else
        echo "the kernel refuses it, to root as well"
      fi
      ;;
  esac
}

mount_of() { df --output=target "$1" 2>/dev/null | tail -n 1; }

# Before the first join. The sidecar's user becomes the owner of these folders, and its agent writes there: a program that
# has them for itself would lose its keys.
check_folders() {
  local folder owner others
  [ ! -d "$RECORD" ] || return 0
  for folder in "$CERTS" "$ENV_DIR"; do
    if [ -L "$folder" ]; then
      finding IVM727 "$folder is a link to $(readlink "$folder"), and what it leads to would be given to the sidecar: move the link away"
      continue
    fi
    if [ ! -e "$folder" ] || adopting; then continue; fi # of an earlier mesh it is the sidecar's already
    owner=$(stat -c %U "$folder")
    case $owner in
      root | istio-proxy | UNKNOWN) ;;
      *)
        finding IVM727 "$folder, which becomes the sidecar's, is $owner's: move it elsewhere, with the program that uses it"
        continue
        ;;
    esac
    others=$(find "$folder" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE "$OUR_FILES" | head -n 10 | tr '\n' ' ')
    [ -z "$others" ] ||
      finding IVM727 "$folder, which becomes the sidecar's, holds what is not Istio's: $others: move it elsewhere, with the program that uses it"
  done
}

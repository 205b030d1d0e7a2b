#!/usr/bin/env bash
# All tests, two suites at a time; in the end what failed, and one closing line over all of them: `N passed, N failed`.
#   bash test/run.sh [SUITE...]    suites: lint unit lab host cli e2e examples (default: these), upgrade, dual
set -uo pipefail
cd "$(dirname "$0")/.." || exit
node=$(sh lab/toolchain.sh node) || exit
PATH=${node:+$node:}$PATH
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(lint unit lab e2e host cli examples)
for suite in "${suites[@]}"; do
  case $suite in
    lint | unit | lab | host | cli | e2e | examples | upgrade | dual) ;;
    *) echo "unknown suite $suite" >&2 && exit 2 ;;
  esac
done
results=$(mktemp -d)
lab() { node --import tsx lab/main.ts "$@"; }

# Each job is a process group of its own, so that it can be ended as a whole: Ctrl-C does not reach it.
set -m
stop() {
  local job
  for job in $(jobs -p); do kill -- "-$job"; done
  exit 130
}
trap stop INT TERM

mocha() { # mocha FOLDER REPORT [WRAPPER...]: the reporter prints for people, and writes a report for the count
  local folder=$1 report=$2
  shift 2
  "$@" npx --no-install mocha --config "$folder/.mocharc.yaml" ${only:+--grep "$only"} --reporter test/support/reporter.cjs --reporter-option "file=$results/$report.json"
}

# A lab of its own, without a past: an earlier run may have been cut off.
in_lab() { # in_lab SUITE [OPTION] [FOLDER]
  export LAB_NAME=$1
  local status=0
  # shellcheck disable=SC2086
  lab clean && lab up --vms 3 --tests $2 && mocha "test/${3:-$1}" "$1" node --import tsx lab/main.ts exec -- || status=$?
  lab clean && return "$status"
}

run() { # run SUITE
  case $1 in
    lint) make --no-print-directory lint ;;
    unit) mocha . unit ;;
    # What must be installed and built first is no difference that the lab's own tests shall find.
    lab) lab build && mocha test/lab lab ;;
    host) in_lab host --rpm ;;
    upgrade) in_lab upgrade '--istio 1.30' ;;
    dual) only='^dual stack' ISTIO_VM_DUAL=1 in_lab dual --dual e2e ;;
    *) in_lab "$1" '' ;;
  esac
}

# Notes what a suite's report says, or one failure if it ended badly without saying so.
record() { # record SUITE STATUS
  local passed=0 failed=0
  if [ -s "$results/$1.json" ]; then
    # shellcheck disable=SC2016
    read -r passed failed < <(node -p 'const s = require(process.argv[1]).stats; `${s.passes} ${s.failures}`' "$results/$1.json")
    node -e 'require(process.argv[1]).failed.forEach((test) => console.log(`${process.argv[2]}: ${test}`))' "$results/$1.json" "$1" >>"$results/failed"
  elif [ "$2" -eq 0 ]; then
    passed=1
  fi
  [ "$2" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  echo "$1 $passed $failed $SECONDS" >"$results/$1"
}

# Runs suites, at most two at a time: more would starve what waits on time in them. Lines start with the suite's name.
side_by_side() { # side_by_side SUITE...
  local suite
  for suite; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    {
      SECONDS=0
      run "$suite"
      record "$suite" $?
    } </dev/null > >(sed -u "s/^/$(printf '%-4s' "$suite") | /") 2>&1 &
  done
  wait
}

# The wanted of these suites.
wanted() { printf '%s\n' "${suites[@]}" | grep -xF "$(printf '%s\n' "$@")"; }

# lab builds with all cores, and compares this whole machine before and after: nothing runs beside it.
for together in "lint unit" lab "e2e host cli examples upgrade dual"; do
  # shellcheck disable=SC2046,SC2086
  side_by_side $(wanted $together)
done

printf '\n%-8s %7s %7s %8s\n' suite passed failed seconds
total_passed=0 total_failed=0
for suite in "${suites[@]}"; do
  read -r _ passed failed seconds <"$results/$suite"
  printf '%-8s %7d %7d %8d\n' "$suite" "$passed" "$failed" "$seconds"
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
done
[ -s "$results/failed" ] && echo && cat "$results/failed"
rm -rf "$results"
printf '\n%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ]

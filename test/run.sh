#!/usr/bin/env bash
# All tests, and one closing line over all suites: `N passed, N failed`.
#   bash test/run.sh [SUITE...]    suites: lint unit lab host cli e2e (default: all)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export LAB_NAME=test
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(lint unit lab host cli e2e)
results=$(mktemp -d)
lab() { npx --no-install tsx lab/main.ts "$@"; }
summary=()

# count SUITE STATUS: what a suite's report says, or one failure if it ended badly without saying so.
count() {
  local passed=0 failed=0
  if [ -s "$results/$1.json" ]; then
    # shellcheck disable=SC2016
    read -r passed failed < <(node -p 'const s = require(process.argv[1]).stats; `${s.passes} ${s.failures}`' "$results/$1.json")
  elif [ "$2" -eq 0 ]; then
    passed=1
  fi
  [ "$2" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  summary+=("$1 $passed $failed $SECONDS")
}

run() { # run SUITE COMMAND...
  local suite=$1 status=0
  shift
  printf '\n== %s\n' "$suite"
  SECONDS=0
  "$@" || status=$?
  count "$suite" "$status"
}

mocha() { # mocha FOLDER REPORT [WRAPPER...]: the reporter prints for people, and writes a report for the count
  local folder=$1 report=$2
  shift 2
  "$@" npx --no-install mocha --config "$folder/.mocharc.yaml" --reporter test/support/reporter.cjs --reporter-option "file=$results/$report.json"
}

# What must be installed and built first is no difference that the lab's own tests shall find.
built_lab() { lab build && mocha test/lab lab; }

# Each suite gets a lab without a past: an earlier run may have been cut off.
in_lab() { lab clean && lab up --vms 3 && mocha "test/$1" "$1" npx --no-install tsx lab/main.ts exec --; }

for suite in "${suites[@]}"; do
  case $suite in
    lint) run lint make --no-print-directory lint ;;
    unit) run unit mocha . unit ;;
    lab) run lab built_lab ;;
    host | cli | e2e) run "$suite" in_lab "$suite" ;;
    *) echo "unknown suite $suite" >&2 && exit 2 ;;
  esac
done
case " ${suites[*]} " in *" host "* | *" cli "* | *" e2e "*) run stop lab clean ;; esac

printf '\n%-6s %7s %7s %8s\n' suite passed failed seconds
total_passed=0 total_failed=0
for line in "${summary[@]}"; do
  # shellcheck disable=SC2086
  printf '%-6s %7d %7d %8d\n' $line
  read -r _ p f _ <<<"$line"
  total_passed=$((total_passed + p)) total_failed=$((total_failed + f))
done
rm -rf "$results"
printf '\n%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ]

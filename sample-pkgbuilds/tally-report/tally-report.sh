#!/bin/bash
# A bar chart of the most frequent lines: tally-report [-n COUNT] [-c COUNTS | FILE...]
set -euo pipefail

limit=10
counts=
while getopts 'n:c:' option; do
  case "$option" in
    n) limit=$OPTARG ;;
    c) counts=$OPTARG ;;
    *)
      echo 'usage: tally-report [-n COUNT] [-c COUNTS | FILE...]' >&2
      exit 2
      ;;
  esac
done
shift $((OPTIND - 1))

read_counts() {
  if [[ -n "$counts" ]]; then
    head -n "$limit" -- "$counts"
  else
    tally -n "$limit" "$@"
  fi
}

read_counts "$@" | awk -F '\t' -v width=40 '
  NR == 1 { most = $1 }
  {
    bar = ""
    for (i = 0; i < int($1 * width / most + 0.5); i++)
      bar = bar "#"
    text = $0
    sub(/^[0-9]+\t/, "", text)
    printf "%7d %-40s %s\n", $1, bar, text
  }
'

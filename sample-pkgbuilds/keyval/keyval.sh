#!/bin/bash
# Reads and changes KEY=VALUE files: keyval get FILE KEY | keyval set FILE KEY VALUE | keyval keys FILE
set -euo pipefail

usage() {
  echo 'usage: keyval get FILE KEY | set FILE KEY VALUE | keys FILE' >&2
  exit 2
}

get() {
  sed -n "s/^[[:blank:]]*$2[[:blank:]]*=[[:blank:]]*//p" -- "$1" | tail -n 1 | grep .
}

set_value() {
  local file=$1 key=$2 value=$3 new
  new=$(mktemp -- "$file.XXXXXX")
  KEY=$key VALUE=$value awk '
    match($0, "^[ \t]*" ENVIRON["KEY"] "[ \t]*=") { if (!done++) print ENVIRON["KEY"] "=" ENVIRON["VALUE"]; next }
    { print }
    END { if (!done) print ENVIRON["KEY"] "=" ENVIRON["VALUE"] }
  ' "$file" >"$new"
  mv -- "$new" "$file"
}

[[ $# -ge 2 && -r "$2" ]] || usage
[[ $# -eq 2 || "$3" =~ ^[A-Za-z0-9_]+$ ]] || usage
case "$1/$#" in
  get/3) get "$2" "$3" ;;
  set/4) set_value "$2" "$3" "$4" ;;
  keys/2) sed -n 's/^[[:blank:]]*\([A-Za-z0-9_]\{1,\}\)[[:blank:]]*=.*/\1/p' -- "$2" ;;
  *) usage ;;
esac

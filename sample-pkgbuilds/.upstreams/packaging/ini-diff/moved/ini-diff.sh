#!/bin/bash
# Compares INI files whatever the order of their sections and keys: ini-diff OLD NEW
set -euo pipefail

normalise() {
  awk '
    /^[ \t]*([;#].*)?$/ { next }
    /^[ \t]*\[.*\]/ { section = $0; gsub(/^[ \t]*\[|\][ \t]*$/, "", section); next }
    { gsub(/^[ \t]+|[ \t]+$/, ""); sub(/[ \t]*=[ \t]*/, " = "); print "[" section "] " $0 }
  ' "$1" | LC_ALL=C sort
}

[[ $# -eq 2 && -r "$1" && -r "$2" ]] || {
  echo 'usage: ini-diff OLD NEW' >&2
  exit 2
}
diff --label "$1" --label "$2" -U 0 <(normalise "$1") <(normalise "$2")

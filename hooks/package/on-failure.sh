#!/usr/bin/env bash
# Run in the package's folder once its build has failed: show what the build system wrote down.
set -euo pipefail

find . -name config.log -o -name CMakeError.log -o -name meson-log.txt | while read -r log; do
  echo "== $log"
  tail -n 50 "$log"
done

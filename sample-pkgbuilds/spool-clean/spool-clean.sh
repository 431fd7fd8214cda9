#!/bin/bash
# Removes files of a spool directory that nobody has touched for some days.
set -euo pipefail

config=${SPOOL_CLEAN_CONF:-/usr/local/etc/spool-clean.conf}

while read -r directory days; do
  [[ -z "$directory" || "$directory" == '#'* ]] && continue
  find "$directory" -xdev -type f -mtime +"$days" -print -delete
done <"$config"

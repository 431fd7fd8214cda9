#!/usr/bin/env bash
# Run in the package's folder once its build has succeeded.
set -euo pipefail

for package in *.pkg.tar.zst; do
  [ -e "$package" ] || continue
  echo "built $package ($(stat --format=%s "$package") bytes)"
done

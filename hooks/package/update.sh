#!/usr/bin/env bash
# Sets a new version when upstream has one. Run by ci-toolkit in a private copy of the package's folder with
# `bash -euo pipefail`; PACKAGE is the package's name. What this leaves in the folder is the update; leaving it as it
# was means that nothing is new, and a status other than 0 that it could not be told.

# A page that names the newest file, and what the file is called there.
page=https://example.org/downloads/
file="$PACKAGE-([0-9]+(\.[0-9]+)+)\.tar\.gz"

old=$(sed -n 's/^pkgver=//p' PKGBUILD)
new=$(curl --fail --silent --show-error --location --max-time 60 "$page" |
  grep -oE "$file" | sed -E "s/$file/\1/" | sort -V | tail -n 1)

if [ "$(vercmp "$new" "$old")" -gt 0 ]; then
  sed -i -e "s/^pkgver=.*/pkgver=$new/" -e 's/^pkgrel=.*/pkgrel=1/' PKGBUILD
  # Downloads the sources to another place, as all that is left here is part of the update, and prints their sums. They
  # take the place of the old ones: an update that changes nothing but versions and sums needs no review.
  sums=$(SRCDEST=$(mktemp -d) makepkg --geninteg)
  sums=$sums awk '
    /^sha256sums=\(/ { print ENVIRON["sums"]; old = 1 }
    !old
    /\)$/ { old = 0 }
  ' PKGBUILD >PKGBUILD.new
  mv PKGBUILD.new PKGBUILD
  makepkg --printsrcinfo >.SRCINFO
fi

#!/bin/bash
# Prints a passphrase of random words and how strong it is: pw-words [-l LANGUAGE] [COUNT]
set -euo pipefail

lists=${PW_WORDS_LISTS:-/usr/share/pw-words}
language=en
while getopts 'l:' option; do
  case "$option" in
    l) language=$OPTARG ;;
    *)
      echo 'usage: pw-words [-l LANGUAGE] [COUNT]' >&2
      exit 2
      ;;
  esac
done
shift $((OPTIND - 1))

count=${1:-6}
words=$lists/words-$language.txt
shuf --random-source=/dev/urandom --repeat -n "$count" -- "$words" | paste -sd ' '
echo "$count * l($(wc -l <"$words")) / l(2)" | bc -l | xargs printf '%.0f bits\n' >&2

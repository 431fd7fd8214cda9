#!/bin/bash
# Prints a passphrase of random words: pw-words [COUNT]
set -euo pipefail

words=${PW_WORDS_LIST:-/usr/share/pw-words/words.txt}

shuf --random-source=/dev/urandom --repeat -n "${1:-6}" -- "$words" | paste -sd ' '

#!/bin/sh
# Writes the table of leap seconds as CSV and as JSON: convert.sh TABLE
awk -F '\t' 'BEGIN { print "day,seconds" } !/^#/ { print $1 "," $2 }' "$1" >leap-list.csv
awk -F '\t' -v title="$TITLE" -v version="$CI_VERSION" '
  BEGIN { printf "{\"title\": \"%s\", \"version\": \"%s\", \"steps\": [", title, version }
  !/^#/ { printf "%s\n  {\"day\": \"%s\", \"seconds\": %d}", n++ ? "," : "", $1, $2 }
  END { print "\n]}" }' "$1" >leap-list.json

# The only program that a builder is given is this shell, with the commands of busybox in it.
mkdir -p "$out/bin"
cat >"$out/bin/hello" <<EOF
#!/bin/sh
# Greets everybody who is on the list.
while read -r person; do
  echo "$greeting, \$person!"
done <$people
EOF
chmod +x "$out/bin/hello"

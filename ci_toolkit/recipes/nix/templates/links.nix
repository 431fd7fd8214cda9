# Gathers what other folders made: `links` are paths in the output, each with a need, or with a path in one.
{ name, version, system, needs, links }:
let
  quoted = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  target = said:
    let
      parts = builtins.match "([^/]+)(/.*)?" said;
      need = builtins.head parts;
      rest = builtins.elemAt parts 1;
    in
    if parts == null || ! needs ? ${need}
    then throw "${said} begins with no need of this folder"
    else "${needs.${need}}${if rest == null then "" else rest}";
  link = path: ''
    link="$out/"${quoted path}
    mkdir -p "$(dirname "$link")"
    ln -s ${quoted (target links.${path})} "$link"
  '';
in
derivation {
  name = "${name}-${version}";
  inherit system;
  builder = "/bin/sh";
  args = [ "-euc" "mkdir \"$out\"\n${toString (map link (builtins.attrNames links))}" ];
}

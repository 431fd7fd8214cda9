# Puts files into the output: `files` are texts by their path there, `copies` files and folders of the package by theirs.
# Those of `executables` can be run.
{ name, version, system, folder, files ? { }, copies ? { }, executables ? [ ] }:
let
  quoted = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  inside = path:
    if builtins.match "([^/]+/)*[^/]+" path != null && builtins.match "(.*/)?\\.\\.?(/.*)?" path == null
    then path
    else throw "${path} is no path within the output";
  sources =
    builtins.mapAttrs (path: text: builtins.toFile "text" text) files
    // builtins.mapAttrs (path: source: "${folder + "/${inside source}"}") copies;
  put = path: ''
    target="$out/"${quoted (inside path)}
    mkdir -p "$(dirname "$target")"
    cp -R ${sources.${path}} "$target"
    chmod -R u+w "$target"
  '';
  mark = path: "chmod a+x \"$out/\"${quoted (inside path)}\n";
in
derivation {
  name = "${name}-${version}";
  inherit system;
  builder = "/bin/sh";
  args = [ "-euc" "mkdir \"$out\"\n${toString (map put (builtins.attrNames sources))}\n${toString (map mark executables)}" ];
}

# What lies at `url`, if its checksum is `sha256`: 64 hexadecimal digits, or in one of Nix's own forms.
{ name, version, url, sha256, executable ? false }:
derivation {
  name = "${name}-${version}";
  system = "builtin";
  builder = "builtin:fetchurl";
  inherit url executable;
  unpack = false;
  outputHash = sha256;
  outputHashAlgo = "sha256";
  outputHashMode = if executable then "recursive" else "flat";
  preferLocalBuild = true;
  urls = [ url ];
}

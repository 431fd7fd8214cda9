# Runs `script` in the shell that every builder has, with the commands of busybox. `$out` is what it has to make, `$src`
# the package's folder, and what `environment` and `needs` name is in variables of these names.
{ name, version, system, folder, needs, script, environment ? { } }:
derivation (needs // environment // {
  name = "${name}-${version}";
  inherit system version;
  src = folder;
  builder = "/bin/sh";
  args = [ "-euc" script ];
})

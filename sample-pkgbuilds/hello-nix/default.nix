# name, version and system come from the folder and the machine, greeting from .CI/recipe.toml.
{ name, version, system, greeting }:
derivation {
  name = "${name}-${version}";
  inherit system greeting;
  people = ./people.txt;
  builder = "/bin/sh";
  args = [ "-eu" ./build.sh ];
}

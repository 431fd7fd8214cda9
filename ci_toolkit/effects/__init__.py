"""The only doors to the outside: processes, git, the web, files and the clock."""

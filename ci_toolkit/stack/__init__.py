"""Everything around a farm, generated from one `stack.toml`, the farm's own file and the plugins that are installed."""

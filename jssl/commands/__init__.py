"""The commands of the command line: `jssl NAME` calls `run` of the module NAME, whose arguments are in `jssl.arguments`."""

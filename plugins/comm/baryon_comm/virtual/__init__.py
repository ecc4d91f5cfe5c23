"""Many groups and servers in one process, in the time of a machine that is described."""

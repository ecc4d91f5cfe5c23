"""Files, locks, caches, processes and signals of the operating system."""

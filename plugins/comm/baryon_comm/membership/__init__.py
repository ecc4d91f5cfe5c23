"""Which ranks live: failure detection, gathers that outlive members, health checks."""

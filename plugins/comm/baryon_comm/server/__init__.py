"""Parameter servers: what runs on them, and the workers' client."""

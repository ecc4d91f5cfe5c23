"""Parameter servers: what runs on them, and the way to them."""

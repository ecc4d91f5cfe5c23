"""The configuration a user starts from: the primary config and the host's own groups."""

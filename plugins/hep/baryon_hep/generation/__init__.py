"""Generate events, from proton collisions to calorimeter images (extra `hep-sim`)."""

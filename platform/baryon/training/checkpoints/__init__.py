"""Checkpoints: copied while the next step is computed, written whole or not at all, verified."""

"""Measure a machine with a network, for predictions of how its training would scale."""

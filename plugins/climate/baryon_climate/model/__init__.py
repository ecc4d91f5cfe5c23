"""Detectors of extreme weather, each with a branch that rebuilds its input."""

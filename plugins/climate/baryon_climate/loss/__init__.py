"""Losses for detectors of extreme weather."""

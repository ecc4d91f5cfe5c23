"""Datasets of global frames with boxes around extreme weather."""

"""Synthetic global frames with known storms."""

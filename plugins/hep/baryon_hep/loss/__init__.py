"""Losses for event classification."""

"""Evaluate classifiers of collision events."""

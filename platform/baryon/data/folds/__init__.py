"""Divide a dataset into folds, each of which is judged by a network that never saw it."""

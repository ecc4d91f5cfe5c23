"""Datasets of calorimeter images."""

"""Models for calorimeter images."""

"""Limits of the values that `plain_data` reads from JSON and YAML."""

DEEPEST = 32
"""Mappings and lists in one another."""
LARGEST_INTEGER = 2**64
LONGEST_NUMBER = 40
"""Characters: PyYAML takes time that grows as the square for a number in sexagesimal notation."""

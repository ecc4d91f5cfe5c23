"""From options and overrides to a frozen, checked config."""

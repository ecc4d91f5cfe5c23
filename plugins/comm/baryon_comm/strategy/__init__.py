"""What becomes of a group's gradient: the one thing in which the strategies differ."""

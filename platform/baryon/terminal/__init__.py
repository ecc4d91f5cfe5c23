"""What people read in a terminal or a log: messages, progress, units."""

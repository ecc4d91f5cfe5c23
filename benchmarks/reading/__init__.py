"""What the benchmarks of reading read."""

"""Files and splits that the benchmarks of reading share."""

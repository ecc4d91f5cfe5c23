"""Config and turns that the benchmarks of a training step share."""

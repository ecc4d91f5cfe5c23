"""What benchmarks of a training step share."""

"""What trained detectors mean: precision, skill, and the criteria that they replace."""

"""A synchronous group of workers: sums of gradients, broadcasts of weights."""

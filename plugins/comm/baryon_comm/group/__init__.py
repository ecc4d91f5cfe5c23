"""A synchronous group of workers: summing gradients, spreading weights."""

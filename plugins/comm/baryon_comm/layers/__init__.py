"""A model as layers, the unit in which gradients and weights travel."""

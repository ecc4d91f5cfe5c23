"""Discrete events: the reference that the sampled model of the machine is held against."""

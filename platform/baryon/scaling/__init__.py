"""Predict how training scales: a model of the machine, held against what was published."""

"""The doctor of datasets: what is wrong with the data, and how fast it is read."""

"""Check datasets: what is wrong with the data, and how fast they are read."""

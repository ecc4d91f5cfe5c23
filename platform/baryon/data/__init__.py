"""Input: HDF5 reading, the order of samples, batches ahead of time; for every dataset alike."""

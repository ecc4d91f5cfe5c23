"""Read samples from HDF5, order them, and make batches ahead of time, for every dataset alike."""

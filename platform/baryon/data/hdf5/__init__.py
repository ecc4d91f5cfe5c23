"""Read HDF5 files as tables, directly where possible; check how they are stored, repack them."""

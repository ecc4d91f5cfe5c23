"""HDF5 files: tables, direct reads, filters, storage facts, repacking."""

"""Chunks decoded and batches augmented by processes, for data that one thread alone can read.

`reader.py` is what they run. They import neither torch nor MPI, and share their memory with the
run's process, so that no sample is pickled.
"""

"""Decode chunks and augment batches in processes, for data that only one thread can read at a time.

There is no automatic choice between threads and processes: whether `read` holds the GIL cannot be
seen from outside, and processes take memory that its owner should grant (`data.processes`).

`worker_process.py` is what the processes run. They import neither torch nor MPI, and share memory
with the run's process, so that no sample is pickled.
"""

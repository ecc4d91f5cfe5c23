"""What started this process, and how it starts others: mpiexec, batch systems, Python."""

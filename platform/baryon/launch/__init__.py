"""What started this process, and how it starts others: mpiexec, Slurm, Python."""

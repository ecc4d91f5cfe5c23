"""What started this process, and starting more of them: mpiexec, Slurm, ranks."""

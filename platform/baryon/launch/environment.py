"""What a launcher (mpiexec, srun) tells this process: known before MPI starts, and without it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterEnvironment:
    """This process among those that were started together.

    Attributes
    ----------
    rank : number of this process, from 0
    ranks : number of all processes
    by : what started them, in words
    local_rank : number of this process among those on its own host, by which ranks of a host take
        its GPUs in turn

    """

    rank: int
    ranks: int
    by: str
    local_rank: int = 0


_ALONE = ClusterEnvironment(0, 1, "nothing")

SRUN = "srun"
LAUNCHERS = (
    ("Open MPI's mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("an mpiexec of the MPICH family", "PMI_RANK", "PMI_SIZE"),
    # A batch script has the first alone: it is no rank of a step.
    (SRUN, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)
"""Launchers with the variables that hold the rank and the number of ranks."""
_LOCAL_RANK = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


def cluster_environment(environment: Mapping[str, str] = os.environ) -> ClusterEnvironment:
    """Return what the launcher tells; without a launcher a single process of rank 0."""
    for by, rank, ranks in LAUNCHERS:
        if rank in environment and ranks in environment:
            local = next((int(environment[key]) for key in _LOCAL_RANK if key in environment), 0)
            return ClusterEnvironment(int(environment[rank]), int(environment[ranks]), by, local)
    return _ALONE

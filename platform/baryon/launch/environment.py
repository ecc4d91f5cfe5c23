"""What a launcher (mpiexec, srun) says of this process, known before and without MPI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterEnvironment:
    """This process among those started together."""

    rank: int
    ranks: int
    by: str
    local_rank: int = 0
    """Its number among those on its own host."""


_ALONE = ClusterEnvironment(0, 1, "nothing")

SRUN = "srun"
LAUNCHERS = (
    ("Open MPI's mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("an mpiexec of the MPICH family", "PMI_RANK", "PMI_SIZE"),
    (SRUN, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # the second is missing in a batch script
)
_LOCAL_RANK = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


def cluster_environment(environment: Mapping[str, str] = os.environ) -> ClusterEnvironment:
    """Rank and number of ranks as the launcher tells them; a world of one without a launcher."""
    for by, rank, ranks in LAUNCHERS:
        if rank in environment and ranks in environment:
            on_host = next((int(environment[key]) for key in _LOCAL_RANK if key in environment), 0)
            return ClusterEnvironment(int(environment[rank]), int(environment[ranks]), by, on_host)
    return _ALONE

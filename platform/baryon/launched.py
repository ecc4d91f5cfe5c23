"""What a launcher (mpiexec, srun) says of this process, known before and without MPI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Launched:
    """This process among those started together."""

    rank: int
    ranks: int
    by: str


_ALONE = Launched(0, 1, "nothing")

_LAUNCHERS = (
    ("Open MPI's mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("an mpiexec of the MPICH family", "PMI_RANK", "PMI_SIZE"),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # the second is missing in a batch script
)


def launched(environment: Mapping[str, str] = os.environ) -> Launched:
    """Rank and number of ranks as the launcher tells them; a world of one without a launcher."""
    for by, rank, ranks in _LAUNCHERS:
        if rank in environment and ranks in environment:
            return Launched(int(environment[rank]), int(environment[ranks]), by)
    return _ALONE

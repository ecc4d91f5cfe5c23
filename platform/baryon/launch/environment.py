"""What a launcher or batch system tells this process: known before MPI starts, and without it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
"""Launchers with the variables that hold the rank and the number of ranks.

PBS and LSF start no ranks themselves: theirs come from an mpiexec, or from `jsrun`, which sets the
variables of Open MPI.
"""
_LOCAL_RANK = (
    *("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PALS_LOCAL_RANKID", "PMI_LOCAL_RANK"),
    "SLURM_LOCALID",
)


def cluster_environment(environment: Mapping[str, str] = os.environ) -> ClusterEnvironment:
    """Return what the launcher tells; without a launcher a single process of rank 0."""
    for by, rank, ranks in LAUNCHERS:
        if rank in environment and ranks in environment:
            local = next((int(environment[key]) for key in _LOCAL_RANK if key in environment), 0)
            return ClusterEnvironment(int(environment[rank]), int(environment[ranks]), by, local)
    return _ALONE


@dataclass(frozen=True)
class BatchJob:
    """The job of a batch system that this process belongs to.

    Attributes
    ----------
    scheduler : name of the batch system
    number : what the batch system calls the job, that of an array as it names them

    """

    scheduler: str
    number: str

    def __str__(self) -> str:
        return f"{self.scheduler} job {self.number}"


def batch_job(environment: Mapping[str, str] = os.environ) -> BatchJob | None:
    """Return the job of Slurm, PBS or LSF that this process belongs to; None outside of one."""
    if "SLURM_ARRAY_JOB_ID" in environment:
        array, task = environment["SLURM_ARRAY_JOB_ID"], environment.get("SLURM_ARRAY_TASK_ID", "0")
        return BatchJob("Slurm", f"{array}_{task}")
    if "SLURM_JOB_ID" in environment:
        return BatchJob("Slurm", environment["SLURM_JOB_ID"])
    if "PBS_JOBID" in environment:
        return BatchJob("PBS", environment["PBS_JOBID"])
    if "LSB_JOBID" in environment:
        index = environment.get("LSB_JOBINDEX", "0")  # 0 outside of an array
        number = environment["LSB_JOBID"]
        return BatchJob("LSF", number if index == "0" else f"{number}[{index}]")
    return None


def allocated_hosts(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the hosts that PBS or LSF has given this job, in their order, each once.

    Empty outside of such a job, and where its file of hosts cannot be read.
    """
    return list(dict.fromkeys(_slots(environment)))


def _slots(environment: Mapping[str, str]) -> list[str]:
    """Return the host of each slot of the job: a host stands there once for each."""
    # PBS and LSF write files of a host a line; LSF's variables serve where that file is not
    # readable, but LSB_HOSTS is left out for long lists (IBM, Environment variables).
    for key in ("PBS_NODEFILE", "LSB_DJOB_HOSTFILE"):
        try:
            return Path(environment[key]).read_text().split()
        except (KeyError, OSError):
            continue
    if "LSB_MCPU_HOSTS" in environment:  # "host1 4 host2 4"
        return environment["LSB_MCPU_HOSTS"].split()[::2]
    return environment.get("LSB_HOSTS", "").split()

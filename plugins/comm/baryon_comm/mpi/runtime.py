"""Start MPI once in a process, and explain why it cannot be started."""

from __future__ import annotations

import os
from typing import Any

from baryon.errors import BaryonError, format_error
from baryon.launch.environment import cluster_environment

HOW_TO_GET = (
    "use the site's (module load ...; pip install mpi4py) or install one with "
    "`pip install 'baryon[mpi]'`"
)


def start_mpi() -> Any:
    """Initialise MPI and return the module `mpi4py.MPI`.

    Raises `BaryonError` if mpi4py or an MPI library is missing, if the launcher belongs to another
    MPI library, or if the library cannot be called from another thread than the main one.
    """
    try:
        import mpi4py

        # Asked for, not required: below, one thread at a time is enough.
        mpi4py.rc.thread_level = "multiple"
        mpi4py.rc.finalize = False  # `World` finalizes, unless a rank has died
        from mpi4py import MPI
    except (ImportError, RuntimeError, OSError) as error:
        raise BaryonError(f"no MPI: {format_error(error)}; {HOW_TO_GET}") from error
    if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
        raise BaryonError(
            f"{_library(MPI)} allows MPI calls from the main thread alone, but messages travel "
            "while another computes: use a build with MPI_THREAD_MULTIPLE"
        )
    _require_one_library(MPI)
    return MPI


def _require_one_library(mpi: Any) -> None:
    launch = cluster_environment()
    if launch.ranks > 1 and mpi.COMM_WORLD.size != launch.ranks:
        raise BaryonError(
            f"{launch.by} started {launch.ranks} processes, but mpi4py uses {_library(mpi)}, to "
            f"which this one is a world of {mpi.COMM_WORLD.size}: two MPI libraries are mixed; use "
            "the mpiexec of the library that mpi4py finds"
        )


def _library(mpi: Any) -> str:
    return str(mpi.Get_library_version()).split(",")[0].split("\n")[0].strip()


def tolerates_faults() -> bool:
    """Whether the launcher keeps survivors alive when a process dies (`--with-ft ulfm`)."""
    return os.environ.get("OMPI_MCA_mpi_ft_enable") == "1"  # noqa: SIM112  Open MPI's spelling

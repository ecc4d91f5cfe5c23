"""Describe the machine that a process runs on."""

from __future__ import annotations

import os
import platform
import socket
import sys
from typing import Any

PROC = "/proc"


def machine() -> dict[str, Any]:
    """Return host, system, processor, cores, memory, GPUs and MPI library.

    `cores` are those that this process may use, `memory_gib` is the machine's in GiB. Neither
    PyTorch nor MPI is imported for this: `gpus` and `mpi` are told if the process uses them.
    """
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": _memory_gib(),
        "gpus": gpus(),
        "mpi": _mpi(),
    }


def gpus() -> list[str]:
    """Return the names of the GPUs that PyTorch sees; none while it has not been imported."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _mpi() -> str | None:
    mpi = sys.modules.get("mpi4py.MPI")
    # Open MPI's version ends with a null byte.
    return mpi.Get_library_version().strip().splitlines()[0].rstrip("\0") if mpi else None


def _processor() -> str:
    # The standard library only knows "x86_64", or nothing, on Linux.
    return _proc_value("cpuinfo", "model name") or platform.processor()


def _memory_gib() -> float | None:
    text = _proc_value("meminfo", "MemTotal")  # "32768000 kB", where kB is 1024 bytes
    return round(int(text.split()[0]) / 2**20, 1) if text else None


def _proc_value(file: str, key: str) -> str:
    """Return the value of the first line `key: value` of a file in /proc, "" without one."""
    try:
        with open(f"{PROC}/{file}", encoding="utf-8") as lines:  # noqa: PTH123  not a real file
            line = next((line for line in lines if line.startswith(key)), "")
    except OSError:
        return ""
    return line.partition(":")[2].strip()

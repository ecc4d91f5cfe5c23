"""The machine that a process runs on."""

from __future__ import annotations

import os
import platform
import socket
import sys
from typing import Any

PROC = "/proc"


def machine() -> dict[str, Any]:
    """System, processor, cores that this process may use, memory in GiB, GPUs, MPI library."""
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
    """Names of those that PyTorch sees; none while it has not been imported."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _mpi() -> str | None:
    """The MPI library of this process, if it uses one."""
    mpi = sys.modules.get("mpi4py.MPI")
    return mpi.Get_library_version().strip().splitlines()[0].rstrip("\0") if mpi else None


def _processor() -> str:
    return _proc("cpuinfo", "model name") or platform.processor()


def _memory_gib() -> float | None:
    text = _proc("meminfo", "MemTotal")
    return round(int(text.split()[0]) / 2**20, 1) if text else None


def _proc(file: str, key: str) -> str:
    try:
        with open(f"{PROC}/{file}", encoding="utf-8") as lines:  # noqa: PTH123  not a real file
            return next((_value(line) for line in lines if line.startswith(key)), "")
    except OSError:
        return ""


def _value(line: str) -> str:
    return line.partition(":")[2].strip()

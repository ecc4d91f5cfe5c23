"""What a run ran on: software, plugins, machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from baryon import __version__
from baryon.plugins import Plugins

LIBRARIES = ("torch", "numpy", "h5py", "hydra-core", "omegaconf", "pluggy", "matplotlib")


def versions(plugins: Plugins) -> dict[str, Any]:
    """Versions of Python, Baryon, plugins and libraries, the machine, the command."""
    return {
        "baryon": __version__,
        "python": platform.python_version(),
        "plugins": {p.name: f"{p.distribution} {p.version}" for p in plugins.all},
        "libraries": {name: _version(name) for name in LIBRARIES},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
        },
        "command": sys.argv,
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  not a real file
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor()

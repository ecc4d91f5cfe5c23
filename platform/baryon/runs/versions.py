"""What a run ran on: software and plugins."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

from baryon import __version__
from baryon.plugins.registry import Plugins

LIBRARIES = ("torch", "numpy", "h5py", "hydra-core", "omegaconf", "pluggy", "matplotlib")


def versions(plugins: Plugins) -> dict[str, Any]:
    """Versions of Python, Baryon, plugins and the libraries that decide a run's numbers."""
    return {
        "baryon": __version__,
        "python": platform.python_version(),
        "plugins": {p.name: f"{p.distribution} {p.version}" for p in plugins.all},
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def packages() -> dict[str, str]:
    """Every distribution that is installed."""
    found = {one.metadata["Name"]: one.version for one in distributions()}
    return {name: found[name] for name in sorted(filter(None, found), key=str.lower)}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

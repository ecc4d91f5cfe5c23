"""Tell which versions of Baryon, its plugins and libraries are installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

from baryon import __version__
from baryon.plugins.registry import Plugins

LIBRARIES = ("torch", "numpy", "h5py", "hydra-core", "omegaconf", "pluggy", "matplotlib")
"""Distributions that decide a run's numbers, its config or its figures."""


def versions(plugins: Plugins) -> dict[str, Any]:
    """Return the versions of Python, Baryon, plugins and `LIBRARIES`."""
    return {
        "baryon": __version__,
        "python": platform.python_version(),
        "plugins": {p.name: f"{p.distribution} {p.version}" for p in plugins.all},
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def packages() -> dict[str, str]:
    """Return the version of every installed distribution, by name."""
    installed = {entry.metadata["Name"]: entry.version for entry in distributions()}
    # A half-removed distribution has no name.
    return {name: installed[name] for name in sorted(filter(None, installed), key=str.lower)}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

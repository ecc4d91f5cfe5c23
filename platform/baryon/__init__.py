"""Baryon: a plugin host for scientific machine learning.

A run is five choices, each a plugin's component picked by name:
dataset -> model -> loss -> communicator -> evaluator.
This module imports nothing heavy, so that a plugin may import it at discovery.
"""

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("baryon")
"""Marks a function as a plugin's answer to a hook of `baryon.plugins.hookspecs`."""

__all__ = ["__version__", "hookimpl"]

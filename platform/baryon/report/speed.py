"""How fast a run was, as tables: rates, the time of each phase, operations by layer.

`summary` is the record of kind "meters" in a run's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baryon.interfaces import Table
from baryon.terminal.units import duration

# Hardly a model computes faster than a plain matrix product: the peak is what must be wrong.
PEAK_TOO_LOW = ", measured too low: was the machine busy?"
"""What is said of a peak where a rate is above it."""


def rates(summary: Mapping[str, Any]) -> Table:
    """Return the peak, sustained and mean rate, with their share of the machine's peak FLOP/s."""
    names = {
        "peak": "peak (fastest step)",
        "sustained": f"sustained (best {summary['sustained_steps']} steps)",
        "whole run": "whole run",
    }
    rows = [
        (
            names.get(name, name),
            rate["samples_per_second"],
            rate["tflops_per_second"],
            f"{rate['mfu']:.0%}",
        )
        for name, rate in summary["rates"].items()
    ]
    peak = summary["peak_tflops_per_second"]
    caption = f"Speed: {summary['gflop_per_sample']:.4g} GFLOP a sample; peak {peak:.3g} TFLOP/s"
    if any(rate["mfu"] > 1 for rate in summary["rates"].values()):
        caption += PEAK_TOO_LOW
    return Table(("rate", "samples/s", "TFLOP/s", "MFU"), rows, caption)


def phases(summary: Mapping[str, Any]) -> Table:
    """Return the wall-clock time of each phase on the leader, the goodput in the caption.

    Goodput is the share of forward, backward and optimizer, of steps that were not undone.
    """
    total = sum(summary["phase_seconds"].values()) + summary["lost_seconds"]
    spent = {**summary["phase_seconds"], "lost (made again)": summary["lost_seconds"]}
    rows = [
        (phase, duration(seconds), f"{seconds / max(total, 1e-9):.1%}")
        for phase, seconds in spent.items()
        if seconds > 0
    ]
    caption = f"Time: {duration(summary['wall_seconds'])}, goodput {summary['goodput']:.0%}"
    return Table(("phase", "time", "share"), rows, caption)


def layers(summary: Mapping[str, Any]) -> Table:
    """Return the operations of each layer, forward and backward, for one sample."""
    total = sum(summary["gflop_by_layer"].values())
    rows = [
        (name, gflop, f"{gflop / (total or 1):.1%}")
        for name, gflop in summary["gflop_by_layer"].items()
    ]
    return Table(("layer", "GFLOP a sample", "share"), rows, "Operations by layer")


def tables(summary: Mapping[str, Any]) -> list[Table]:
    """Return the tables for the report; layers only where they were counted."""
    of_layers = [layers(summary)] if summary["gflop_by_layer"] else []
    return [rates(summary), phases(summary), *of_layers]

"""Tell whether a run that was made again is the same: its weights, its loss curve, its metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.flatten import flat
from baryon.plugins.registry import Plugins
from baryon.runs.git_state import GitState, git_state
from baryon.runs.metrics_log import LogLine
from baryon.runs.provenance import Provenance
from baryon.runs.versions import versions

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-3
"""Largest relative difference that counts as equal: another machine or library rounds elsewhere."""

NOT_COMPARED = (
    "kind", "step", "epoch", "seconds", "samples_per_second", "tflops_per_second", "mfu",
    "ms", "comm", "steps",
)  # fmt: skip
"""Values of a line of the log that tell where it was and how fast, not what was learnt."""

SURROUNDINGS = {
    "baryon": "Baryon",
    "python": "Python",
    "plugins": "plugin",
    "libraries": "library",
    "processor": "the processor",
    "gpus": "the GPUs",
    "mpi": "the MPI library",
    "threads": "threads of the processes",
    "data": "the data of split",
    "commit": "the commit",
    "changes": "what was not committed",
    "init": "the weights of train.init",
}
"""What a run's numbers depend on beside its config, and how messages call it."""


@dataclass(frozen=True)
class Difference:
    """Two numbers that should be equal: `then` in the old run, `now` in the new one.

    `relative` is the difference as a share of the larger of the two; infinite if one is missing.
    """

    what: str
    then: float
    now: float
    relative: float

    def __str__(self) -> str:
        size = f"relative {self.relative:.2g}" if math.isfinite(self.relative) else "not comparable"
        return f"{self.what}: {self.then:.9g} then, {self.now:.9g} now ({size})"


def curve(then: Sequence[LogLine], now: Sequence[LogLine]) -> list[Difference]:
    """Compare the losses of training and validation in two logs; give what differs, by steps."""
    old_losses, new_losses = _losses(then), _losses(now)
    keys = sorted(old_losses.keys() | new_losses.keys())
    return _differences(
        (f"{name} ({kind}) at step {step}", old_losses.get(key), new_losses.get(key))
        for key in keys
        for step, kind, name in (key,)
    )


def metrics(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Compare the evaluator's metrics; give those that differ."""
    keys = sorted(then.keys() | now.keys())
    return _differences((f"metric {key}", then.get(key), now.get(key)) for key in keys)


def weights(then: Mapping[str, torch.Tensor], now: Mapping[str, torch.Tensor]) -> list[Difference]:
    """Compare weights; give the tensors that differ in any bit.

    A difference shows the norms of both tensors, and the norm of their difference relative to the
    old one's.
    """
    import torch

    differences = []
    for name in dict.fromkeys([*then, *now]):
        old, new = then.get(name), now.get(name)
        if old is None or new is None or old.shape != new.shape:
            differences.append(Difference(f"weights {name}", math.nan, math.nan, math.inf))
        elif not torch.equal(old, new):
            norm = float(old.double().norm())
            # In double precision, where the rounding of the comparison is below that of the
            # weights.
            distance = float((old.double() - new.double()).norm())
            relative = distance / norm if norm else math.inf
            new_norm = float(new.double().norm())
            differences.append(Difference(f"norm of weights {name}", norm, new_norm, relative))
    return differences


def verdict(differences: Sequence[Difference], tolerance: float) -> tuple[str, bool]:
    """Sum up a comparison.

    Returns
    -------
    text : str
        The verdict in one line.
    equal : bool
        Whether the run may be called reproduced: no difference is larger than `tolerance`.

    """
    if not differences:
        return "bitwise equal: weights, loss curve and metrics", True
    largest = max(differences, key=lambda difference: difference.relative)
    if largest.relative <= tolerance:
        return (
            f"equal within tolerance (max relative difference {largest.relative:.2g}, in "
            f"{largest.what}; tolerance {tolerance:g})",
            True,
        )
    # The first, not the largest: what comes after it follows from it.
    first = next(difference for difference in differences if difference.relative > tolerance)
    return f"different, first in {first}", False


def surroundings(provenance: Provenance) -> dict[str, Any]:
    """Return what a run's numbers depended on beside its config, by the keys of `SURROUNDINGS`.

    Without commit and changes if git was not asked, or there was no repository.
    """
    return {
        "baryon": provenance.baryon,
        "python": provenance.python,
        "plugins": provenance.plugins,
        "libraries": provenance.libraries,
        "processor": provenance.machine.get("processor"),
        "gpus": provenance.machine.get("gpus"),
        "mpi": provenance.machine.get("mpi"),
        "threads": [rank.threads for rank in provenance.ranks],
        "data": provenance.data,
        "init": provenance.init.digest if provenance.init else None,
        **(_code(provenance.git) if provenance.git else {}),
    }


def surroundings_now(plugins: Plugins, folder: Path | None) -> dict[str, Any]:
    """Return what is known of the surroundings before a run: versions, and git's of `folder`."""
    return {**versions(plugins), **(_code(git_state(folder)[0]) if folder else {})}


def _code(git: GitState | None) -> dict[str, Any]:
    return {"commit": git.commit if git else None, "changes": git.changes if git else None}


def changed_surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Compare surroundings, as far as those of `now` are known; a line for each that differs."""
    old, new = flat({key: value for key, value in then.items() if key in now}), flat(now)
    lines = []
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            group, _, name = key.partition(".")
            what = f"{SURROUNDINGS[group]} {name}".strip()
            lines.append(f"{what} was {_shown(old.get(key))}, is {_shown(new.get(key))}")
    return lines


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _losses(lines: Sequence[LogLine]) -> dict[tuple[int, str, str], float]:
    """Return all loss terms by step, kind of line and name."""
    return {
        (line["step"], line["kind"], name): value
        for line in lines
        if line["kind"] in ("train", "validation")
        for name, value in line.items()
        if name not in NOT_COMPARED and isinstance(value, int | float)
    }


def _differences(pairs: Iterable[tuple[str, Any, Any]]) -> list[Difference]:
    """Compare pairs of values, each with its name; give those that differ in any bit."""
    differences = []
    for what, then, now in pairs:
        old, new = _number(then), _number(now)
        both_nan = math.isnan(old) and math.isnan(new)  # a missing value is NaN here as well
        if old == new or (both_nan and (then is None) == (now is None)):
            continue
        size = max(abs(old), abs(new))
        relative = abs(old - new) / size if math.isfinite(size) else math.inf
        # One NaN makes the difference NaN: not comparable.
        differences.append(
            Difference(what, old, new, math.inf if math.isnan(relative) else relative)
        )
    return differences


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan

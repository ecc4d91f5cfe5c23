"""Whether a run that was made again is the same: its weights, its loss curve, its figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baryon.config.flatten import flat
from baryon.runs.metrics_log import Record

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-3
"""Largest relative difference that counts as equal: another machine or library rounds elsewhere."""

NOT_COMPARED = (
    "kind", "step", "epoch", "seconds", "samples_per_second", "tflops_per_second", "mfu",
    "ms", "comm", "steps",
)  # fmt: skip
"""In a line of the log: where it was, and how fast."""


@dataclass(frozen=True)
class Difference:
    """Two numbers that ought to be one."""

    what: str
    then: float
    now: float
    relative: float

    def __str__(self) -> str:
        size = f"relative {self.relative:.2g}" if math.isfinite(self.relative) else "not comparable"
        return f"{self.what}: {self.then:.9g} then, {self.now:.9g} now ({size})"


def curve(then: Sequence[Record], now: Sequence[Record]) -> list[Difference]:
    """Losses of training and validation that differ, in the order of steps."""
    there, here = _losses(then), _losses(now)
    keys = sorted(there.keys() | here.keys())
    return _differences(
        (f"{name} ({kind}) at step {step}", there.get(key), here.get(key))
        for key in keys
        for step, kind, name in (key,)
    )


def metrics(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Figures of the evaluator that differ."""
    keys = sorted(then.keys() | now.keys())
    return _differences((f"metric {key}", then.get(key), now.get(key)) for key in keys)


def weights(then: Mapping[str, torch.Tensor], now: Mapping[str, torch.Tensor]) -> list[Difference]:
    """Tensors that differ in any bit, each by the norms of the tensor and of the difference."""
    import torch

    found = []
    for name in dict.fromkeys([*then, *now]):
        one, other = then.get(name), now.get(name)
        if one is None or other is None or one.shape != other.shape:
            found.append(Difference(f"weights {name}", math.nan, math.nan, math.inf))
        elif not torch.equal(one, other):
            old, new = one.double(), other.double()
            size, apart = float(old.norm()), float((old - new).norm())
            relative = apart / size if size else math.inf
            found.append(Difference(f"norm of weights {name}", size, float(new.norm()), relative))
    return found


def verdict(differences: Sequence[Difference], tolerance: float) -> tuple[str, bool]:
    """In one line, and whether it may be called a reproduction."""
    if not differences:
        return "bitwise equal: weights, loss curve and metrics", True
    largest = max(differences, key=lambda one: one.relative)
    if largest.relative <= tolerance:
        return (
            f"equal within tolerance (max relative difference {largest.relative:.2g}, in "
            f"{largest.what}; tolerance {tolerance:g})",
            True,
        )
    first = next(one for one in differences if one.relative > tolerance)
    return f"different, first in {first}", False


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
}
"""Entries of the provenance that decide numbers, and what they are called."""


def decisive(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """These entries, as far as the provenance has them."""
    machine, git = provenance.get("machine", {}), provenance.get("git") or {}
    inner = {
        "processor": machine.get("processor"),
        "gpus": machine.get("gpus"),
        "mpi": machine.get("mpi"),
        "threads": [rank["threads"] for rank in provenance.get("ranks", ())],
        "commit": git.get("commit"),
        "changes": git.get("changes"),
    }
    return {key: provenance.get(key, inner.get(key)) for key in SURROUNDINGS}


def surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the provenance of two runs, a line each."""
    found = []
    old, new = flat(decisive(then)), flat(decisive(now))
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            group, _, name = key.partition(".")
            what = f"{SURROUNDINGS[group]} {name}".strip()
            found.append(f"{what} was {_shown(old.get(key))}, is {_shown(new.get(key))}")
    return found


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _losses(records: Sequence[Record]) -> dict[tuple[int, str, str], float]:
    """By step, kind and name."""
    return {
        (line["step"], line["kind"], name): value
        for line in records
        if line["kind"] in ("train", "validation")
        for name, value in line.items()
        if name not in NOT_COMPARED and isinstance(value, int | float)
    }


def _differences(pairs: Iterable[tuple[str, Any, Any]]) -> list[Difference]:
    found = []
    for what, then, now in pairs:
        one, other = _number(then), _number(now)
        if one == other or (
            math.isnan(one) and math.isnan(other) and (then is None) == (now is None)
        ):
            continue
        size = max(abs(one), abs(other))
        relative = abs(one - other) / size if math.isfinite(size) else math.inf
        found.append(Difference(what, one, other, relative if relative == relative else math.inf))
    return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan

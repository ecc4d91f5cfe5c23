"""Collect evaluated events in a table: score, label, weight and cut flag of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baryon.errors import BaryonError

if TYPE_CHECKING:
    from baryon.interfaces import Batch

Events: TypeAlias = NDArray[np.void]
"""Table of N events with the columns of `EVENT`."""

EVENT = np.dtype(
    [
        ("key", np.int64),  # row in the split
        ("score", np.float64),  # log-odds of being signal
        ("weight", np.float64),
        ("label", np.int64),  # 1 signal, 0 background
        ("psr", np.int8),  # 1 the cuts keep it, 0 they do not, -1 unknown
    ]
)


def log_odds(output: Any) -> NDArray[np.float64]:
    """Return scores (N,), log of p / (1 - p), from logits `output` (N, 2), class 1 the signal.

    Raises `BaryonError` for an output of another shape.
    """
    if output.ndim != 2 or output.shape[1] != 2:
        raise BaryonError(
            f"evaluator hep_roc needs logits of shape (N, 2), background and signal, and was given "
            f"{tuple(output.shape)}: choose a model with two outputs"
        )
    # The difference of the logits in double precision: softmax in single precision would round sure
    # events to p = 1, and tie the very tail that a false-positive rate of 1e-4 rests on.
    logits = output.detach().double()
    score: NDArray[np.float64] = (logits[:, 1] - logits[:, 0]).numpy()
    return score


def events(output: Any, batch: Batch) -> Events:
    """Make a table of N logits `output` (N, 2) and their batch, with or without `psr`."""
    score = log_odds(output)
    for name in ("label", "weight"):
        if name not in batch:
            raise BaryonError(
                f"evaluator hep_roc needs {name!r} of every event; the dataset offers: "
                f"{', '.join(sorted(batch))}"
            )
    table = np.empty(len(output), EVENT)
    table["score"] = score
    table["key"], table["label"] = batch["keys"].numpy(), batch["label"].numpy()
    table["weight"] = batch["weight"].numpy()
    table["psr"] = batch["psr"].numpy() != 0 if "psr" in batch else -1
    return table


def gathered(parts: Sequence[Events]) -> Events:
    """Join tables of all ranks, in the order of the events' keys.

    Raises `BaryonError` for events that no curve can be drawn from.
    """
    # Sorted before any sum or draw, so that results do not depend on ranks or the order of merging;
    # a key that comes twice is an error, not a silent double count.
    table = np.concatenate([np.empty(0, EVENT), *parts])
    table = table[np.argsort(table["key"], kind="stable")]
    _refuse(table, np.diff(table["key"], prepend=-1) == 0, "came twice")
    _refuse(table, ~np.isfinite(table["score"]), "has a score that is not finite (did it diverge?)")
    _refuse(table, ~np.isin(table["label"], (0, 1)), "has a label that is neither 0 nor 1")
    _refuse(table, ~np.isfinite(table["weight"]), "has a weight that is not finite")
    # With negative weights the curve is not monotonic, and the threshold at a rate not unique.
    _refuse(table, table["weight"] < 0, "has a negative weight: reweight the sample to positive")
    for label, name in enumerate(("background", "signal")):
        if not table["weight"][table["label"] == label].sum() > 0:
            raise BaryonError(
                f"evaluator hep_roc needs signal and background: of {len(table)} events none is "
                f"{name} (label {label}) with a weight above zero; evaluate on a split with both"
            )
    return table


def _refuse(table: Events, wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        raise BaryonError(
            f"evaluator hep_roc: event {table['key'][wrong][0]} of the split {what}; "
            f"{wrong.sum()} of {len(table)} events are like this"
        )

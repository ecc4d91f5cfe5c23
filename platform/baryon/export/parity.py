"""Whether what was exported computes what the run's model does, on samples of the run's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from baryon.errors import BaryonError
from baryon.export.exported_model import named

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-4
"""Largest deviation of a value, in units of the largest of its output over the samples.

Float32 carries 6e-8; other runtimes sum a convolution's products in another order.
"""
Tensors = Mapping[str, torch.Tensor]


def compare(expected: Tensors, found: Tensors, who: str) -> float:
    """The largest deviation; raises `BaryonError` above `TOLERANCE`, or for other names."""
    if list(found) != list(expected):
        raise BaryonError(f"{who} gives {', '.join(found)}, but the model {', '.join(expected)}")
    worst = 0.0
    for name, wanted in expected.items():
        if found[name].shape != wanted.shape:
            raise BaryonError(
                f"{who} gives {name} the shape {tuple(found[name].shape)}, but the model "
                f"{tuple(wanted.shape)}"
            )
        largest = float(wanted.abs().max()) or 1.0
        deviation = float((found[name].double() - wanted.double()).abs().max()) / largest
        if not deviation <= TOLERANCE:
            raise BaryonError(
                f"{who} does not compute what the model does: {name} deviates by {deviation:.1e} "
                f"of its largest value, and at most {TOLERANCE:.0e} is allowed; nothing is written"
            )
        worst = max(worst, deviation)
    return worst


def check(
    model: torch.nn.Module,
    exported: Callable[[torch.Tensor], Any],
    inputs: torch.Tensor,
    raw: torch.Tensor,
    who: str,
) -> float:
    """The largest deviation over all samples together and the first alone.

    `inputs` (N, ...) are what the model takes, `raw` the same samples as the files hold them.
    """
    worst = 0.0
    for count in (len(inputs), 1):  # the batch axis is free
        with torch.inference_mode():
            expected = named(model(inputs[:count]))
            found = named(exported(raw[:count]))
        worst = max(worst, compare(expected, found, who))
    return worst

"""Compare an exported model with the run's own, on samples of the run's data."""

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


def compare(expected: Tensors, actual: Tensors, name: str) -> float:
    """Return the largest deviation of the outputs of an exported model called `name`.

    Raises
    ------
    BaryonError
        If it is above `TOLERANCE`, or if names or shapes of the outputs differ.

    """
    if list(actual) != list(expected):
        raise BaryonError(f"{name} gives {', '.join(actual)}, but the model {', '.join(expected)}")
    largest_deviation = 0.0
    for output, reference in expected.items():
        if actual[output].shape != reference.shape:
            raise BaryonError(
                f"{name} gives {output} the shape {tuple(actual[output].shape)}, but the model "
                f"{tuple(reference.shape)}"
            )
        largest = float(reference.abs().max()) or 1.0
        deviation = float((actual[output].double() - reference.double()).abs().max()) / largest
        if not deviation <= TOLERANCE:  # NaN is not
            raise BaryonError(
                f"{name} does not compute what the model does: {output} deviates by "
                f"{deviation:.1e} of its largest value, and at most {TOLERANCE:.0e} is allowed; "
                "nothing is written"
            )
        largest_deviation = max(largest_deviation, deviation)
    return largest_deviation


def check(
    model: torch.nn.Module,
    exported: Callable[[torch.Tensor], Any],
    inputs: torch.Tensor,
    raw: torch.Tensor,
    name: str,
) -> float:
    """Return the largest deviation of an exported model from the run's own.

    Parameters
    ----------
    model
        The run's model.
    exported
        What was exported, loaded again.
    inputs
        (N, ...) what the model takes.
    raw
        (N, ...) the same samples as the files hold them, read anew: computed from `inputs` by the
        split's normalisation, a wrong one would be called right.
    name
        Name of the exported model, for messages.

    Raises
    ------
    BaryonError
        If the outputs differ.

    """
    deviations = []
    for count in (len(inputs), 1):  # the number of samples is free
        with torch.inference_mode():
            expected = named(model(inputs[:count]))
            actual = named(exported(raw[:count]))
        deviations.append(compare(expected, actual, name))
    return max(deviations)

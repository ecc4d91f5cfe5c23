"""The fields of a batch that say how strong storms are, in their units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from baryon_climate.fields import NAMES
from baryon_climate.tracks.intensity import CHANNELS
from baryon_climate.windows import labelled_step

if TYPE_CHECKING:
    from baryon.interfaces import Batch

WINDOW_AXES = 5


def fields_of(
    batch: Batch, number: int, names: Sequence[str] = NAMES
) -> dict[str, npt.NDArray[np.float64]]:
    """Return pressure and winds (H, W) of a sample's labelled step, those that there are.

    `names` are the channels of the batch, in order. Without them a batch of another number of
    channels than ExtremeWeather's has none, for a batch does not name its channels.
    """
    inputs = batch["inputs"][number]
    if batch["inputs"].dim() == WINDOW_AXES:
        inputs = inputs[:, labelled_step(inputs.shape[1])]
    if len(inputs) != len(names):
        return {}
    fields = {}
    for name in CHANNELS:
        if name in names:
            channel = list(names).index(name)
            middle, half = batch["scaling"][number, channel].tolist()
            fields[name] = inputs[channel].numpy().astype(np.float64) * half + middle
    return fields

"""Undo the normalisation of inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baryon_climate.evaluator.frames import Floats
from baryon_climate.fields import NAMES


def in_units(inputs: NDArray[np.float32], scaling: NDArray[np.float32]) -> dict[str, Floats]:
    """Return physical fields (H, W) by name from normalised inputs (16, H, W).

    `scaling` (16, 2) holds the midrange and the half-range of each channel, in its unit.
    """
    return {
        name: inputs[place].astype(np.float64) * scaling[place, 1] + scaling[place, 0]
        for place, name in enumerate(NAMES)
    }

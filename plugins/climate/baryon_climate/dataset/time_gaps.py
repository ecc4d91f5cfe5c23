"""Where a run of frames has gaps in time: one rule for files that lack and windows that span."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baryon_climate.dataset.calendar import Seconds

TOLERANCE = 0.01
"""Share of the usual step that a step may be off: some models write times as rounded fractions."""


def usual_step(times: Seconds) -> int:
    """Return the seconds from frame to frame that occur most often, of equals the least."""
    # the commonest step and not the least: files that overlap by an hour have one short step
    steps, counts = np.unique(np.diff(times), return_counts=True)
    return int(steps[np.argmax(counts)]) if len(steps) else 0


def gaps(times: Seconds) -> npt.NDArray[np.bool_]:
    """Return, for each frame but the last, whether the next is not one usual step later."""
    usual = usual_step(times)
    off: npt.NDArray[np.bool_] = np.abs(np.diff(times) - usual) > TOLERANCE * usual
    return off

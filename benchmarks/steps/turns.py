"""Measure two ways in turn, so that whatever else the machine does slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

TURN = 4  # steps


def seconds(step: Callable[[], object]) -> float:
    """Return the median time of the steps of a turn."""
    times = []
    for _ in range(TURN):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def in_turns(
    engine: Callable[[], float], other: Callable[[], float], turns: int
) -> tuple[float, float]:
    """Return the other's time divided by the engine's, and the engine's: medians over the turns."""
    pairs = [(engine(), other()) for _ in range(1 + turns)][1:]  # the first one warms up
    ratio = statistics.median(other_time / engine_time for engine_time, other_time in pairs)
    return ratio, statistics.median(engine_time for engine_time, _ in pairs)

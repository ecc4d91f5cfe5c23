"""Two that take turns, so that whatever else the machine does slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

TURN = 4  # steps


def seconds(step: Callable[[], object]) -> float:
    """The median time of the steps of a turn."""
    times = []
    for _ in range(TURN):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def in_turns(
    engine: Callable[[], float], other: Callable[[], float], turns: int
) -> tuple[float, float]:
    """The other's time as a multiple of the engine's, and the engine's; medians over the turns."""
    pairs = [(engine(), other()) for _ in range(1 + turns)][1:]  # the first one warms up
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return ratio, statistics.median(ours for ours, _ in pairs)

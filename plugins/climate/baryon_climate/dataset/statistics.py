"""One pass over the frames: every value checked, each channel's range, mean and deviation found.

The answer is kept in the user's cache, keyed by the fingerprint of the data, so that the pass is
made once for each version of the files. It holds a frame for each thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.system.cache import cached, keep
from baryon.terminal.console import warn
from baryon.terminal.progress import bar
from baryon_climate.fields import Channel

FILL = 1e19
"""Values from here on are fill values: CAM5 writes 1e36, others 1e20 or 9.97e36."""
VERSION = 1
"""Of what is kept; a change of this file's answers must change it."""
Numbers = npt.NDArray[Any]
RANGES = "minimum", "maximum", "mean", "deviation"


class Frames(Protocol):
    """Where frames come from; read by several threads at once."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def chunk_starts(self) -> Sequence[int]:
        """First frame of every run that is read together."""
        ...

    def read(self, start: int, stop: int) -> Numbers:
        """(stop - start, channels, height, width) numbers in the channels' units."""
        ...

    def place(self, frame: int, channel: int = 0) -> str:
        """Return the file of a frame's channel and the frame in it, for people."""
        ...

    def fingerprint(self) -> str:
        """Changes when the data does."""
        ...


@dataclass(frozen=True)
class Statistics:
    """Of each channel, over all pixels of all frames that were looked at."""

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    frames: int

    def scaling(self) -> npt.NDArray[np.float32]:
        """(channels, 2): midrange and half-range, which map each channel to -1..1."""
        low, high = np.array(self.minimum), np.array(self.maximum)
        return np.stack([(high + low) / 2, (high - low) / 2], axis=1).astype(np.float32)


def statistics(
    frames: Frames, channels: Sequence[Channel], name: str, most: int | None, threads: int
) -> Statistics:
    """Of all frames, or of about `most` of them, evenly spread.

    Raises `BaryonError` naming file, frame and channel of the first NaN, infinite or fill value,
    and for a channel that is the same everywhere. Ranges that the channel's quantity does not
    take are warned of.
    """
    key = {
        "version": VERSION,
        "data": frames.fingerprint(),
        "channels": [channel.name for channel in channels],
        "most": most,
    }
    kept = cached("climate-statistics", key)
    if kept is None:
        found = _pass(frames, channels, name, most, threads)
        keep("climate-statistics", key, asdict(found))
    else:
        found = Statistics(frames=kept["frames"], **{name: tuple(kept[name]) for name in RANGES})
    _require_sense(found, channels, name)
    return found


def _pass(
    frames: Frames, channels: Sequence[Channel], name: str, most: int | None, threads: int
) -> Statistics:
    runs = _runs(frames, most)
    total = sum(stop - start for start, stop in runs)
    parts = []
    with (
        bar(f"statistics of {name}", total, "frames") as advance,
        ThreadPoolExecutor(threads, "baryon-statistics") as pool,
    ):
        for part, count in _ahead(pool, frames, channels, runs, threads):
            parts.append(part)
            advance(count)
    low, high, means, squares, counts = (np.array(column) for column in zip(*parts, strict=True))
    weights = counts / counts.sum()
    mean = weights @ means
    variance = weights @ (squares + (means - mean) ** 2)
    return Statistics(
        tuple(low.min(axis=0).tolist()),
        tuple(high.max(axis=0).tolist()),
        tuple(mean.tolist()),
        tuple(np.sqrt(variance).tolist()),
        int(total),
    )


def _runs(frames: Frames, most: int | None) -> list[tuple[int, int]]:
    """What is read together, start and stop."""
    bounds = [*frames.chunk_starts(), len(frames)]
    runs = list(pairwise(bounds))
    if most is None or most >= len(frames):
        return runs
    count = max(1, round(len(runs) * most / len(frames)))
    chosen = np.unique(np.linspace(0, len(runs) - 1, count).round().astype(int))
    return [runs[number] for number in chosen]


Part = tuple[Numbers, Numbers, Numbers, Numbers, int]


def _ahead(
    pool: ThreadPoolExecutor,
    frames: Frames,
    channels: Sequence[Channel],
    runs: Sequence[tuple[int, int]],
    threads: int,
) -> Iterator[tuple[Part, int]]:
    """Return the parts in their order; no more runs are in memory than there are threads."""
    waiting: deque[Any] = deque()
    coming = iter(runs)
    while True:
        while len(waiting) < threads and (run := next(coming, None)) is not None:
            waiting.append((pool.submit(_of_run, frames, channels, *run), run[1] - run[0]))
        if not waiting:
            return
        part, count = waiting.popleft()
        yield part.result(), count


def _of_run(frames: Frames, channels: Sequence[Channel], start: int, stop: int) -> Part:
    values = frames.read(start, stop)
    count = values.shape[1]
    low, high, mean, square = (np.empty(count) for _ in range(4))
    for channel in range(count):  # 3.5 MB at a time stay in the cache of the core
        one = values[:, channel]
        low[channel], high[channel] = one.min(), one.max()
        if not (-FILL < low[channel] <= high[channel] < FILL):  # false for NaN as well
            _refuse(frames, channels, channel, start, one)
        mean[channel] = one.mean(dtype=np.float64)
        square[channel] = np.square(one - np.float32(mean[channel])).mean(dtype=np.float64)
    return low, high, mean, square, stop - start


def _refuse(
    frames: Frames, channels: Sequence[Channel], channel: int, start: int, values: Numbers
) -> None:
    bad = ~(np.isfinite(values) & (np.abs(values) < FILL))
    frame = int(np.argmax(bad.any(axis=(1, 2))))
    first = values[frame][bad[frame]][0]
    what = "NaN" if np.isnan(first) else f"the fill value {first:g}"
    raise BaryonError(
        f"{frames.place(start + frame, channel)}: {channels[channel].name} holds {what} in "
        f"{int(bad[frame].sum()):,} "
        f"of {bad[frame].size:,} pixels: fill the gaps, or leave out the file"
    )


def _require_sense(found: Statistics, channels: Sequence[Channel], name: str) -> None:
    strange = []
    for channel, low, high in zip(channels, found.minimum, found.maximum, strict=True):
        if low == high:
            raise BaryonError(
                f"{name}: {channel.name} is {low:g} everywhere, so it cannot be normalised: "
                "give files in which it varies"
            )
        if low < channel.plausible[0] or high > channel.plausible[1]:
            strange.append(f"{channel.name} from {low:.4g} to {high:.4g} {channel.unit}")
    if strange:
        warn(
            f"{name}: {'; '.join(strange)}: no atmosphere has such values; are these the channels "
            "in the order of docs/climate-data.md, in its units?"
        )

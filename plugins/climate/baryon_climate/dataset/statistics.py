"""One pass over the frames: checks every value, and measures each channel's range and deviation.

The result is kept in the user's cache, keyed by the fingerprint of the data, so that the pass is
made once for each version of the files. It holds a frame for each thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.system.cache import cached, keep
from baryon.terminal.console import warn
from baryon.terminal.progress import bar
from baryon_climate.dataset.passes import Frames, in_order, runs_of
from baryon_climate.fields import Channel

FILL = 1e19
"""Values from here on are fill values: CAM5 writes 1e36, others 1e20 or 9.97e36."""
VERSION = 1
"""Of what is kept; a change of this file's answers must change it."""
Numbers = npt.NDArray[Any]
RANGES = "minimum", "maximum", "mean", "deviation"


@dataclass(frozen=True)
class Statistics:
    """Range, mean and deviation of each channel, over all pixels of all frames looked at."""

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    frames: int

    def scaling(self) -> npt.NDArray[np.float32]:
        """Return midrange and half-range (channels, 2), which map each channel to -1..1."""
        low, high = np.array(self.minimum), np.array(self.maximum)
        return np.stack([(high + low) / 2, (high - low) / 2], axis=1).astype(np.float32)


def statistics(
    frames: Frames, channels: Sequence[Channel], name: str, most: int | None, threads: int
) -> Statistics:
    """Return the statistics of all frames, or of about `most` of them, evenly spread.

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
    record = cached("climate-statistics", key)
    if record is None:
        result = _pass(frames, channels, name, most, threads)
        keep("climate-statistics", key, asdict(result))
    else:
        ranges = {name: tuple(record[name]) for name in RANGES}
        result = Statistics(frames=record["frames"], **ranges)
    _require_sense(result, channels, name)
    return result


def _pass(
    frames: Frames, channels: Sequence[Channel], name: str, most: int | None, threads: int
) -> Statistics:
    runs = runs_of(frames, most)
    total = sum(stop - start for start, stop in runs)
    parts = []

    def work(start: int, stop: int) -> Part:
        return _of_run(frames, channels, start, stop)

    with (
        bar(f"statistics of {name}", total, "frames") as advance,
        ThreadPoolExecutor(threads, "baryon-statistics") as pool,
    ):
        for part, (start, stop) in in_order(pool, work, runs, threads):
            parts.append(part)
            advance(stop - start)
    low, high, means, squares, counts = (np.array(column) for column in zip(*parts, strict=True))
    # runs differ in length, and variances add to the spread of their means
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


Part = tuple[Numbers, Numbers, Numbers, Numbers, int]


def _of_run(frames: Frames, channels: Sequence[Channel], start: int, stop: int) -> Part:
    values = frames.read(start, stop)
    count = values.shape[1]
    low, high, mean, square = (np.empty(count) for _ in range(4))
    for number in range(count):  # 3.5 MB at a time stay in the cache of the core
        channel = values[:, number]
        low[number], high[number] = channel.min(), channel.max()
        if not (-FILL < low[number] <= high[number] < FILL):  # false for NaN as well
            _refuse(frames, channels, number, start, channel)
        mean[number] = channel.mean(dtype=np.float64)
        square[number] = np.square(channel - np.float32(mean[number])).mean(dtype=np.float64)
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


def _require_sense(result: Statistics, channels: Sequence[Channel], name: str) -> None:
    strange = []
    for channel, low, high in zip(channels, result.minimum, result.maximum, strict=True):
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

"""The climatological map: what the training frames have on average, at each pixel.

Most of the variance of a frame is the same map every day: the tropics are warm, mountains have low
pressure. A model that rebuilds its input can lower its error by that map alone and never look at
the weather. Departures from it, divided by each channel's own deviation, are weather alone.

The map is made of training frames only, in one more pass, and kept in the user's cache as the
statistics are.
"""

from __future__ import annotations

from calendar import month_name
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write
from baryon.system.cache import cache_path, cached, keep
from baryon.terminal.progress import bar
from baryon_climate.dataset.passes import Frames, in_order, runs_of
from baryon_climate.dates import date
from baryon_climate.fields import Channel

Numbers = npt.NDArray[Any]
ALL, MONTH = "all", "month"
PERIODS = {ALL: 1, MONTH: 12}
KIND = "climate-climatology"
VERSION = 1
"""Of what is kept; a change of this file's answers must change it."""


class Split(Protocol):
    """The frames of a split with their times."""

    times: npt.NDArray[np.int64]
    calendar: str
    scaling: npt.NDArray[np.float32]

    @property
    def source(self) -> Frames:
        """Where the frames come from."""
        ...


@dataclass(frozen=True)
class Climatology:
    """Mean maps, and the deviation of the frames from them."""

    period: str
    """`all`: one map; `month`: one for each month."""
    maps: Numbers
    """(periods, channels, height, width) float32, scaled to -1..1 as inputs are."""
    deviation: npt.NDArray[np.float32]
    """(channels,) root mean square departure from the map, in the same scale."""
    frames: tuple[int, ...]
    """How many each map is the mean of."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave maps that lie in the cache there: reading processes map them anew."""
        state = dict(self.__dict__)
        if isinstance(self.maps, np.memmap) and self.maps.filename is not None:
            state["maps"] = Path(self.maps.filename)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map what `__getstate__` left in the cache."""
        if isinstance(state["maps"], Path):
            state["maps"] = np.load(state["maps"], mmap_mode="r", allow_pickle=False)
        self.__dict__.update(state)

    def map_of(self, seconds: int, calendar: str) -> Numbers:
        """Return the map (channels, height, width) for a time in seconds since 1900."""
        return np.asarray(self.maps[_period(self.period, seconds, calendar)])

    def require(self, name: str, split: Split) -> None:
        """Raise `BaryonError` if frames of a split are of a month that no training frame is of."""
        missing = {
            number
            for number in _periods(self.period, split.times, split.calendar)
            if not self.frames[number]
        }
        if missing:
            months = ", ".join(month_name[number + 1] for number in sorted(missing))
            raise BaryonError(
                f"dataset.{name} has frames of {months}, but dataset.train has none to make a map "
                "of: give dataset.anomalies=all, or training frames of these months"
            )


def climatology(
    train: Split, channels: Sequence[Channel], period: str, most: int | None, threads: int
) -> Climatology:
    """Return the maps of the training frames.

    Parameters
    ----------
    train
        The training split, already scaled.
    channels
        Of its frames.
    period
        `all` or `month`.
    most
        Training frames to look at, evenly spread; None: all.
    threads
        That read at once.

    Raises
    ------
    BaryonError
        For another period, and for a channel that is the same map in all frames.

    """
    if period not in PERIODS:
        raise BaryonError(f"dataset.anomalies={period!r}: choose from: {', '.join(PERIODS)}, null")
    key = {
        "version": VERSION,
        "data": train.source.fingerprint(),
        "channels": [channel.name for channel in channels],
        "scaling": train.scaling.tolist(),
        "period": period,
        "most": most,
    }
    result = _kept(key, period) or _made(train, channels, period, most, threads, key)
    for channel, deviation in zip(channels, result.deviation, strict=True):
        if not deviation > 0:
            raise BaryonError(
                f"dataset.anomalies={period}: {channel.name} is the same map in all training "
                "frames, so it has no anomalies: give more frames, or leave the channel out"
            )
    return result


def _kept(key: dict[str, Any], period: str) -> Climatology | None:
    """Return what the cache holds; maps are mapped, so that processes share one copy in memory."""
    record = cached(KIND, key)
    if record is None:
        return None
    try:
        maps = np.load(_maps_path(key), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if list(maps.shape) != record["shape"] or maps.dtype != np.float32:
        return None
    deviation = np.array(record["deviation"], np.float32)
    return Climatology(period, maps, deviation, tuple(record["frames"]))


def _made(
    train: Split,
    channels: Sequence[Channel],
    period: str,
    most: int | None,
    threads: int,
    key: dict[str, Any],
) -> Climatology:
    runs = runs_of(train.source, most)
    periods = _periods(period, train.times, train.calendar)
    sums = _Sums(PERIODS[period])

    def work(start: int, stop: int) -> Numbers:
        return _scaled(train.source.read(start, stop), train.scaling)

    total = sum(stop - start for start, stop in runs)
    with (
        bar("climatological map of dataset.train", total, "frames") as advance,
        ThreadPoolExecutor(threads, "baryon-climatology") as pool,
    ):
        for frames, (start, stop) in in_order(pool, work, runs, threads):
            for number, frame in zip(periods[start:stop], frames, strict=True):
                sums.add(int(number), frame)
            advance(stop - start)
    result = Climatology(period, sums.maps, sums.deviation(), tuple(sums.counts.tolist()))
    _keep(key, result)
    return _kept(key, period) or result


class _Sums:
    """Running means of frames by period, and their squares by channel."""

    def __init__(self, periods: int) -> None:
        self.counts = np.zeros(periods, np.int64)
        self._squares: Numbers | None = None
        self._maps: Numbers | None = None

    @property
    def maps(self) -> Numbers:
        """(periods, channels, height, width) means."""
        assert self._maps is not None
        return self._maps

    def add(self, period: int, frame: Numbers) -> None:
        """Add a scaled frame (channels, height, width)."""
        if self._maps is None or self._squares is None:
            self._maps = np.zeros((len(self.counts), *frame.shape), np.float32)
            self._squares = np.zeros(len(frame))
        self.counts[period] += 1
        # a running mean keeps its digits in float32 where a sum of thousands would lose them
        self._maps[period] += (frame - self._maps[period]) / np.float32(self.counts[period])
        for channel, values in enumerate(frame):
            self._squares[channel] += np.square(values).sum(dtype=np.float64)

    def deviation(self) -> npt.NDArray[np.float32]:
        """(channels,) root of the mean of x² less that of the maps' squares."""
        assert self._maps is not None
        assert self._squares is not None
        of_maps = np.zeros(len(self._squares))
        for count, period in zip(self.counts, self._maps, strict=True):
            of_maps += count * np.square(period).sum(axis=(1, 2), dtype=np.float64)
        pixels = self.counts.sum() * self._maps[0, 0].size
        variance = (self._squares - of_maps) / pixels
        # what rounding of float32 leaves of a channel that never changes is no deviation
        lost = 1e-9 * self._squares / pixels
        return np.sqrt(np.where(variance > lost, variance, 0)).astype(np.float32)


def _scaled(frames: Numbers, scaling: npt.NDArray[np.float32]) -> Numbers:
    middle, half = scaling.T[:, None, :, None, None]
    return np.asarray((frames - middle) / half, np.float32)


def _keep(key: dict[str, Any], result: Climatology) -> None:
    """Keep the maps, then their record, which marks them as complete."""
    path = _maps_path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, Path(temporary).open("wb") as file:
            np.save(file, result.maps)
    except (OSError, BaryonError):
        return  # a cache that cannot be written costs the pass again next time
    record = {
        "shape": list(result.maps.shape),
        "deviation": result.deviation.tolist(),
        "frames": list(result.frames),
    }
    keep(KIND, key, record)


def _maps_path(key: dict[str, Any]) -> Path:
    return cache_path(KIND, key).with_suffix(".npy")


def _periods(period: str, times: npt.NDArray[np.int64], calendar: str) -> npt.NDArray[np.int64]:
    return np.array([_period(period, int(time), calendar) for time in times], np.int64)


def _period(period: str, seconds: int, calendar: str) -> int:
    return 0 if period == ALL else date(seconds, calendar).month - 1

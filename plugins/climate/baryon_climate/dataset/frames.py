"""A split of frames: crops of normalised fields with boxes, times and their place on the globe.

The way of a frame: the host's threads read and inflate its chunks into one buffer; from there it
is cut, normalised and laid into the sample in a single pass (`_cut`); the loader copies the sample
into its batch. Training crops are cut from whole frames in the batch, as a part of augmentation,
so that every epoch sees others: that is one more pass.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.interfaces import Arrays, Field, Normalisation, Split, StorageInfo
from baryon_climate.dataset import mirroring, passes
from baryon_climate.dataset.calendar import CALENDARS
from baryon_climate.dataset.climatology import Climatology
from baryon_climate.dataset.crops import Crop, Cropping, columns
from baryon_climate.dataset.labels import Labels
from baryon_climate.dataset.time_gaps import gaps
from baryon_climate.fields import CHANNELS, Channel
from baryon_climate.grid import Grid
from baryon_climate.storms import FileOrder
from baryon_climate.windows import labelled_step

Numbers = npt.NDArray[Any]


class Source(passes.Frames, Protocol):
    """Where frames come from, with what a split must know of their storage."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        ...

    def stored(self) -> Sequence[StorageInfo]:
        """Return how the files are laid out."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


@dataclass(frozen=True)
class View:
    """How samples are made of frames."""

    window: int
    """Consecutive frames of a sample."""
    crop: tuple[int, int] | None
    """Height and width; None: whole frames."""
    keep: float
    """Share of a box's area that must remain in a crop."""
    augment: bool
    """Crops of training are cut anywhere, whole circles are turned."""
    mirror: bool = False
    """Half of the training samples are mirrored at the equator, before they are cut."""

    def of_split(self, is_training: bool) -> View:
        """Return the same view for a split: only samples of training are changed at random."""
        return self if is_training else replace(self, augment=False, mirror=False)

    @property
    def changes(self) -> bool:
        """Whether whole frames are read, to be changed at random in the batch."""
        return self.augment or self.mirror


class Frames(Split):
    """The frames of a split, as samples."""

    parallel_reads = True

    def __init__(
        self,
        source: Source,
        labels: Labels,
        times: npt.NDArray[np.int64],
        grid: Grid,
        view: View,
        calendar: str,
    ) -> None:
        self.source, self.labels, self.times, self.grid = source, labels, times, grid
        self.view, self.calendar = view, calendar
        channels = source.shape[0]
        self.cropping = _cropping(view, grid)
        if view.mirror:
            mirroring.require_symmetric(grid)
        self.scaling = np.tile(np.array([0.0, 1.0], np.float32), (channels, 1))
        self.channels: Sequence[Channel] = CHANNELS
        self.climatology: Climatology | None = None
        """What `anomalies` are departures from; None: samples have none."""
        self.file_order = FileOrder.same(grid.height, grid.width)
        self.synthetic = False
        """Whether its files say that no climate model made them."""
        self._rows = _complete(times, view.window)
        self._starts = _starts(self._rows, source.chunk_starts())

    @property
    def fields(self) -> Mapping[str, Field]:
        """Return the fields of a sample as it is read: a whole frame if `augment` is to cut it."""
        # `augment` cuts anew in every epoch, so it needs the whole frame
        size = self.cropping.frame if self.view.changes else self.cropping.size
        return self._fields(size)

    @property
    def augmented_fields(self) -> Mapping[str, Field]:
        """Return the fields of a sample after `augment`."""
        return self._fields(self.cropping.size)

    def _fields(self, size: tuple[int, int]) -> Mapping[str, Field]:
        steps = () if self.view.window == 1 else (self.view.window,)
        channels = self.source.shape[0]
        inputs = Field((channels, *steps, *size), "float32")
        return {
            "inputs": inputs,
            **({} if self.climatology is None else {"anomalies": inputs}),
            "boxes": Field(self.labels.boxes.shape[1:], "float32"),
            "labelled": Field((), "uint8"),
            "time": Field((), "int64"),
            "calendar": Field((), "uint8"),
            "synthetic": Field((), "uint8"),
            "grid": Field((5,), "float64"),
            "scaling": Field((channels, 2), "float32"),
        }

    def __len__(self) -> int:
        return len(self._rows)

    def chunk_starts(self) -> Sequence[int]:
        """Return the first sample of every run whose frames are read together."""
        return self._starts

    def read(self, start: int, stop: int) -> Arrays:
        """Read samples start..stop-1."""
        rows = self._rows[start:stop]
        crops = [self._crop(int(row)) for row in rows]
        inputs = self._inputs(rows, crops, self.scaling)
        anomalies = self._anomalies(inputs, rows, crops)
        return {
            "inputs": inputs,
            **({} if anomalies is None else {"anomalies": anomalies}),
            "boxes": self._boxes(self.labels.boxes[rows], crops),
            "labelled": self.labels.known[rows].astype(np.uint8),
            "time": self.times[rows],
            # the same for a whole split, but an evaluator knows batches alone, and its maps must
            # say a date, and that no climate model made a frame
            "calendar": np.full(len(rows), CALENDARS.index(self.calendar), np.uint8),
            "synthetic": np.full(len(rows), self.synthetic, np.uint8),
            "grid": self._grids(crops),
            "scaling": np.repeat(self.scaling[None], len(rows), axis=0),
        }

    def strata(self) -> npt.NDArray[np.int64]:
        """Return 1 for each sample whose boxes are known, 0 for the others: see `data.stratify`."""
        return self.labels.known[self._rows].astype(np.int64)

    def fold_keys(self) -> npt.NDArray[np.int64]:
        """Return the same number for all samples of 30 days: what one storm does is one group."""
        return self.times[self._rows] // (30 * 24 * 3600)

    def raw(self, start: int, stop: int) -> Numbers:
        """Return the inputs of samples start..stop-1 in the channels' units."""
        rows = self._rows[start:stop]
        unscaled = np.tile(np.array([0.0, 1.0], np.float32), (len(self.scaling), 1))
        return self._inputs(rows, [self._crop(int(row)) for row in rows], unscaled)

    def normalisation(self) -> Normalisation:
        """Return midrange and half-range of each channel."""
        names = tuple(f"{channel.name} [{channel.unit}]" for channel in self.channels)
        offset, scale = (tuple(column.tolist()) for column in self.scaling.T)
        return Normalisation(names, offset, scale)

    def _inputs(self, rows: Numbers, crops: Sequence[Crop], scaling: Numbers) -> Numbers:
        inputs = np.empty((len(rows), *self.fields["inputs"].shape), np.float32)
        for begin, end in _runs(rows):
            self._read_run(rows[begin:end], crops[begin:end], scaling, inputs[begin:end])
        return inputs

    def _anomalies(self, inputs: Numbers, rows: Numbers, crops: Sequence[Crop]) -> Numbers | None:
        """Return the departures of samples from the map of their labelled step's period."""
        if self.climatology is None:
            return None
        anomalies = inputs.copy()
        for sample, row, crop in zip(anomalies, rows, crops, strict=True):
            usual = self.climatology.map_of(int(self.times[row]), self.calendar)
            steps = sample[:, None] if self.view.window == 1 else sample
            for target, taken in columns(crop, usual.shape[-1]):
                cut = usual[:, crop.row : crop.row + crop.height, taken]
                steps[..., target] -= cut[:, None]
        shape = (-1,) + (1,) * (anomalies.ndim - 2)
        anomalies /= self.climatology.deviation.reshape(shape)
        return anomalies

    def _crop(self, row: int) -> Crop:
        if self.view.changes:
            return Crop(0, 0, *self.cropping.frame)
        return self.cropping.fixed(row)

    def _read_run(
        self, rows: Numbers, crops: Sequence[Crop], scaling: Numbers, into: Numbers
    ) -> None:
        """Read consecutive samples; a frame that several windows share is read once."""
        window = self.view.window
        steps = into[:, :, None] if window == 1 else into
        first = int(rows[0]) - labelled_step(window)
        last = first + len(rows) - 1 + window
        for start, stop in _pieces(self.source.chunk_starts(), first, last):
            for number, frame in enumerate(self.source.read(start, stop), start - first):
                for sample in range(max(0, number - window + 1), min(number + 1, len(rows))):
                    target = steps[sample, :, number - sample]
                    _cut(frame, crops[sample], scaling, target)

    def _boxes(self, boxes: Numbers, crops: Sequence[Crop]) -> Numbers:
        cut = [
            self.cropping.boxes(of_frame, crop) for of_frame, crop in zip(boxes, crops, strict=True)
        ]
        return np.stack(cut)

    def _grids(self, crops: Sequence[Crop]) -> Numbers:
        return np.stack([self.grid.crop(c.row, c.column, c.height, c.width).array() for c in crops])

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Mirror half of the samples and cut each out anywhere of its frame, as the view says."""
        # here and not in `read`, which must give the same rows at any time, or a resumed run could
        # not repeat an epoch: only `augment` gets random numbers that belong to a step
        if not self.view.changes:
            return arrays
        images = {name: arrays[name] for name in ("inputs", "anomalies") if name in arrays}
        boxes = arrays["boxes"]
        if self.view.mirror:
            images = {name: values.copy() for name, values in images.items()}
            boxes = boxes.copy()
            self._mirror(images, boxes, random)
        if self.view.augment:
            crops = [self.cropping.random(random) for _ in range(len(boxes))]
        else:
            crops = [self.cropping.fixed(int(self._rows[key])) for key in arrays["keys"]]
        return {
            **arrays,
            **{name: self._cut_out(whole, crops) for name, whole in images.items()},
            "boxes": self._boxes(boxes, crops),
            "grid": self._grids(crops),
        }

    def _mirror(
        self, images: Mapping[str, Numbers], boxes: Numbers, random: np.random.Generator
    ) -> None:
        """Mirror half of the samples, in place."""
        # anomalies have no offset: a northward wind's just changes its sign
        no_offset = np.tile(np.array([0.0, 1.0], np.float32), (len(self.scaling), 1))
        scaling = {"inputs": self.scaling, "anomalies": no_offset}
        for number in np.flatnonzero(random.random(len(boxes)) < mirroring.SHARE):
            for name, values in images.items():
                mirroring.mirror(values[number], self.channels, scaling[name])
            mirroring.mirror_boxes(boxes[number], self.grid.height)

    def _cut_out(self, whole: Numbers, crops: Sequence[Crop]) -> Numbers:
        cut = np.empty((*whole.shape[:-2], *self.cropping.size), np.float32)
        for sample, crop, target in zip(whole, crops, cut, strict=True):
            for into, taken in columns(crop, whole.shape[-1]):
                target[..., into] = sample[..., crop.row : crop.row + crop.height, taken]
        return cut

    def place(self, row: int) -> str:
        """Return the file of a sample and the frame in it."""
        return self.source.place(int(self._rows[row]))

    def stored(self) -> Sequence[StorageInfo]:
        """Return how the files are laid out."""
        return self.source.stored()

    def fingerprint(self) -> str:
        """Return the fingerprint of the files."""
        return self.source.fingerprint()

    def close(self) -> None:
        """Close the files."""
        self.source.close()


def _cut(frame: Numbers, crop: Crop, scaling: Numbers, into: Numbers) -> None:
    """Cut and normalise in one pass from the buffer of decoded values."""
    rows = slice(crop.row, crop.row + crop.height)
    for target, taken in columns(crop, frame.shape[-1]):
        for channel, (middle, half) in enumerate(scaling):
            cut = into[channel, :, target]
            np.subtract(frame[channel, rows, taken], middle, out=cut, casting="same_kind")
            cut *= 1 / half  # a channel of 3.5 MB is still in the cache


def _cropping(view: View, grid: Grid) -> Cropping:
    frame = (grid.height, grid.width)
    size = view.crop or frame
    if size[0] > frame[0] or size[1] > frame[1] or min(size) < 1:
        raise BaryonError(
            f"dataset.crop={list(size)} does not fit into frames of {frame[0]} x {frame[1]}: give "
            "less, or null for whole frames"
        )
    if not 0 <= view.keep <= 1:
        raise BaryonError(f"dataset.keep_boxes={view.keep:g} must be between 0 and 1")
    return Cropping(frame, size, grid.cyclic, view.keep)


def _complete(times: npt.NDArray[np.int64], window: int) -> npt.NDArray[np.int64]:
    """Return the frames that are the labelled step of a window whose steps are all there."""
    if window < 1:
        raise BaryonError(f"dataset.window={window} must be 1 frame or more")
    before = labelled_step(window)
    rows = np.arange(before, len(times) - (window - 1 - before), dtype=np.int64)
    if window == 1 or not len(rows):
        return rows
    broken = np.concatenate([[0], np.cumsum(gaps(times))])
    whole: npt.NDArray[np.bool_] = broken[rows - before] == broken[rows - before + window - 1]
    return rows[whole]


def _starts(rows: npt.NDArray[np.int64], stored: Sequence[int]) -> list[int]:
    """Return the first sample of each stored run."""
    run_of = np.searchsorted(np.asarray(stored), rows, side="right")
    return np.flatnonzero(np.diff(run_of, prepend=-1)).tolist()


def _runs(rows: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return where consecutive rows begin and end."""
    edges = np.flatnonzero(np.diff(rows) != 1) + 1
    bounds = [0, *edges.tolist(), len(rows)]
    return list(pairwise(bounds))


def _pieces(stored: Sequence[int], first: int, last: int) -> list[tuple[int, int]]:
    """Return the frames first..last-1 by the runs that are read together: no more is in memory."""
    low = bisect.bisect_right(stored, first)
    high = bisect.bisect_left(stored, last)
    return list(pairwise([first, *stored[low:high], last]))

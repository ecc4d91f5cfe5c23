"""Serve splits of normalised images with labels and weights, whatever the layout of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baryon.data.hdf5.table import Hdf5Table, find_files
from baryon.data.hdf5.value_scan import channel_range
from baryon.errors import BaryonError
from baryon.interfaces import Arrays, Field, Normalisation, Split, StorageInfo
from baryon_hep.dataset.geometry import require_alike

Column = np.ndarray[Any, Any]

EVENT_ID = "eid"
SAMPLE = ("label", "jz", "mg", "mn")
"""Columns that tell samples apart; others number the events of each sample from 0."""


class Images(Split):
    """A split of images: `inputs` (channels, rows, columns) float32, and numbers of each event.

    Parameters
    ----------
    table
        Files of the split.
    image_fields
        Fields of the table that hold the images: one of shape (channels, ...), or several of shape
        (...) that become the channels.
    columns
        Numbers of every event, each (N,), by the name of the field; they are held in memory.
    phi_axis
        Axis of a batch of images that is the azimuth, 2 or 3.

    """

    parallel_reads = True

    def __init__(
        self,
        table: Hdf5Table,
        image_fields: Sequence[str],
        columns: Mapping[str, Column],
        phi_axis: int,
    ) -> None:
        self.table = table
        self.image_fields = list(image_fields)
        self.columns = dict(columns)
        self._phi_axis = phi_axis
        self.augmented = False
        stored = table.shapes[self.image_fields[0]]
        shape = stored if len(stored) == 3 else (len(self.image_fields), *stored)
        self._scale = np.ones((shape[0], 1, 1), np.float32)
        self._channels: tuple[str, ...] = ()
        self._image = Field(shape, "float32")

    @property
    def axes(self) -> tuple[str, str]:
        """Names of an image's rows and columns."""
        return ("phi", "eta") if self._phi_axis == 2 else ("eta", "phi")

    @property
    def fields(self) -> Mapping[str, Field]:
        """`inputs` and the columns."""
        columns = {name: Field((), column.dtype.name) for name, column in self.columns.items()}
        return {"inputs": self._image, **columns}

    def __len__(self) -> int:
        return len(self.table)

    def chunk_starts(self) -> Sequence[int]:
        """Return the first row of every stored chunk of images."""
        return self.table.chunk_starts(self.image_fields[0])

    def read(self, start: int, stop: int) -> Arrays:
        """Read rows `start` to `stop` - 1, the images divided by the channels' maxima."""
        images = self._images(start, stop)
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        # In place where the array is ours: another array of this size costs as much as decoding.
        into = images if images.dtype == np.float32 and images.flags.writeable else None
        return {"inputs": np.divide(images, self._scale, into, dtype=np.float32), **columns}

    def raw(self, start: int, stop: int) -> Column:
        """Return the images of rows `start` to `stop` - 1 as the files hold them, float32."""
        return self._images(start, stop).astype(np.float32)

    def normalisation(self) -> Normalisation:
        """Return the channels' maxima, which `read` divides by."""
        scale = tuple(self._scale.ravel().tolist())
        return Normalisation(self._channels, offset=(0.0,) * len(scale), scale=scale)

    def _images(self, start: int, stop: int) -> Column:
        parts = [self.table.read(field, start, stop) for field in self.image_fields]
        return parts[0] if parts[0].ndim == 4 else np.stack(parts, axis=1)

    def place(self, row: int) -> str:
        """Return the file of an event and its row there."""
        return self.table.place(row)

    def stored(self) -> Sequence[StorageInfo]:
        """Describe how the members are stored."""
        return self.table.stored()

    def fold_keys(self) -> Column | None:
        """Return the numbers that tell showers apart; None where the files number no events."""
        if EVENT_ID not in self.columns:
            return None
        names = [name for name in (*SAMPLE, EVENT_ID) if name in self.columns]
        return np.stack([_whole(self.columns[name]) for name in names], axis=1)

    def classes(self) -> Mapping[str, Column]:
        """Return the events of both classes that have a weight."""
        counts = self.columns["weight"] > 0
        label = self.columns["label"]
        return {"signal": counts & (label == 1), "background": counts & (label == 0)}

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Turn images in phi, and mirror them in phi and eta, by chance, if `augmented` is set."""
        # The beams are alike and the detector is round: no direction is better than another.
        if not self.augmented:
            return arrays
        images = arrays["inputs"]
        for axis in (2, 3):
            images = _rearranged(images, axis, turn=axis == self._phi_axis, random=random)
        return {**arrays, "inputs": images}

    def channel_maximum(self, split: str) -> list[float]:
        """Return each channel's largest stored value. Raises `BaryonError` if one is not finite.

        `split` is this split's name, shown while the files are read.
        """
        maxima = [channel_range(self.table, field, split).maximum for field in self.image_fields]
        return [value for maximum in maxima for value in maximum]

    def divide_by(self, channel_max: Sequence[float], channels: Sequence[str]) -> None:
        """Divide channel i by `channel_max[i]` from now on; `channels` are their names."""
        self._scale = np.asarray(channel_max, np.float32).reshape(-1, 1, 1)
        self._channels = tuple(channels)

    def fingerprint(self) -> str:
        """Return a hash of the files' names, sizes and times of change."""
        return self.table.fingerprint()

    def close(self) -> None:
        """Close the files."""
        self.table.close()


def _whole(column: Column) -> Column:
    """Return a column as int64, a float as its bits: event numbers do not fit into floats."""
    if column.dtype.kind == "f":
        return column.astype(np.float64).view(np.int64)
    return column.astype(np.int64)


def _rearranged(images: Column, axis: int, *, turn: bool, random: np.random.Generator) -> Column:
    """Mirror images along an axis by chance; with `turn` also roll them by any number of pixels."""
    count, size = len(images), images.shape[axis]
    mirrored = random.integers(0, 2, (count, 1))
    order = np.where(mirrored, np.arange(size)[::-1], np.arange(size))
    if turn:
        order = (order + random.integers(0, size, (count, 1))) % size
    shape = [count, 1, 1, 1]
    shape[axis] = size
    return np.take_along_axis(images, order.reshape(shape), axis)


OpenSplit = Callable[[str, Sequence[Path]], Images]
Files = str | Sequence[str]


def open_splits(open_split: OpenSplit, files: Mapping[str, Files | None]) -> dict[str, Images]:
    """Open the files of every split that has some.

    Raises
    ------
    BaryonError
        If images differ in shape, or in what the files say that they show.

    """
    splits = {
        name: open_split(name, find_files(f"dataset.{name}", patterns))
        for name, patterns in files.items()
        if patterns is not None
    }
    for name, split in splits.items():
        expected = splits["train"].fields["inputs"].shape
        if split.fields["inputs"].shape != expected:
            raise BaryonError(
                f"dataset.{name}: images of shape {split.fields['inputs'].shape}, but {expected} "
                "in dataset.train: give files of one image size"
            )
    paths = [path for split in splits.values() for path in split.table.paths]
    require_alike(paths, splits["train"].axes)
    return splits


def add_normalised_weights(splits: Mapping[str, Images]) -> None:
    """Add `normweight` where files lack it: weight over its training maximum, as in the paper."""
    largest = splits["train"].columns["weight"].max()
    for split in splits.values():
        split.columns.setdefault("normweight", split.columns["weight"] / largest)


def normalise(
    splits: Mapping[str, Images],
    channels: Sequence[str],
    given: Sequence[float] | None,
    check_pixels: bool,
) -> None:
    """Divide all splits by the training maximum of each channel, or by what is given.

    With `check_pixels` every pixel of every split is read once and must be finite.
    """
    if check_pixels:
        for name, split in splits.items():
            split.channel_maximum(name)
    maximum = splits["train"].channel_maximum("train") if given is None else list(given)
    _require_positive(maximum, channels)
    for split in splits.values():
        split.divide_by(maximum, channels)


def open_like(
    train: Images, open_files: Callable[[Sequence[Path]], Images], files: Files
) -> Images:
    """Open files that need not have labels, to be read as `train` is.

    Raises
    ------
    BaryonError
        For images of another size, or that show something else.

    """
    split = open_files(find_files("input", files))
    shape, expected = split.fields["inputs"].shape, train.fields["inputs"].shape
    if shape != expected:
        raise BaryonError(
            f"{split.table.paths[0]}: images of shape {shape}, but the network was trained on "
            f"{expected}: give files of that size"
        )
    require_alike([*train.table.paths, *split.table.paths], train.axes)
    normalisation = train.normalisation()
    split.divide_by(normalisation.scale, normalisation.channels)
    return split


def _require_positive(maximum: Sequence[float], channels: Sequence[str]) -> None:
    if len(maximum) != len(channels):
        raise BaryonError(f"dataset.channel_max={list(maximum)} must be {len(channels)} numbers")
    for name, value in zip(channels, maximum, strict=True):
        if value <= 0:
            raise BaryonError(
                f"{name} cannot be normalised by a maximum of {value} over the training images: "
                "give dataset.channel_max=[...] with numbers above 0, or other files"
            )

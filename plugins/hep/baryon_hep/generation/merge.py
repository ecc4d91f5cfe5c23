"""Merge parts into the files that networks are trained on.

The layout is that of the HEP CNN benchmark (members `data`, `label`, `weight`, `normweight`,
`psr`, `mg`, `mn`, `jz`, `eid`), one file for each image size and split. Each split takes its share
of every process, and the processes are mixed in a random order that the seed decides. Within a
process events are independent, so they are taken one after the other: memory holds one part of
each process and one block of images, however large the data set.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from baryon_hep.generation import parts
from baryon_hep.generation.folder import writing
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.images import CHANNELS, UNITS, Images, render
from baryon_hep.generation.parts import Part
from baryon_hep.generation.processes import Process
from baryon_hep.generation.settings import EVENTS_PER_PROCESS, PROCESSES
from baryon_hep.generation.splits import SplitFile, Stream

IMAGES_PER_CHUNK = 16
# Level 6 makes files 4 % smaller than 4 for 0.1 ms more an image; 9 takes six times as long for
# another 4 %.
GZIP_LEVEL = 6
IMAGES_PER_BLOCK = 4 * IMAGES_PER_CHUNK
"""Images in memory at a time."""
Columns = Mapping[str, npt.NDArray[Any]]


def write_split(target: SplitFile, report: Callable[[int], None]) -> None:
    """Write the file of a split; it gets its name when it is complete.

    Parameters
    ----------
    target
        What the file is to hold.
    report
        Called with the number of events of each block that was written.

    Raises
    ------
    BaryonError
        If the disk does not take it.

    """
    counts = [stream.events for stream in target.streams]
    order = np.random.default_rng(target.entropy).permutation(np.repeat(range(len(counts)), counts))
    readers = [_Reader(stream) for stream in target.streams]
    with writing(target.file) as temporary, h5py.File(temporary, "w") as h5:
        _describe(h5, target)
        for start in range(0, len(order), IMAGES_PER_BLOCK):
            block = order[start : start + IMAGES_PER_BLOCK]
            for name, values in _block(block, readers, target.size, target.eta_max).items():
                _dataset(h5, name, values, len(order))[start : start + len(block)] = values
            report(len(block))


def _block(
    order: npt.NDArray[np.int64], readers: Sequence["_Reader"], size: int, eta_max: float
) -> Columns:
    """Return the next events of the streams in the given order of streams."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for number in np.unique(order):
        of_stream = order == number
        for name, values in readers[number].take(int(of_stream.sum()), size, eta_max).items():
            shape = (len(order), *values.shape[1:])
            columns.setdefault(name, np.zeros(shape, values.dtype))[of_stream] = values
    return columns


class _Reader:
    """Reads the events of a stream in order, one part in memory."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._next = stream.first
        self._open: tuple[Part, Hits, npt.NDArray[np.bool_]] | None = None

    def take(self, events: int, size: int, eta_max: float) -> Columns:
        """Return the next `events` events of the process."""
        numbers = self._next + np.arange(events)
        images, flags = zip(*self._pieces(events, size, eta_max), strict=True)
        return _columns(self._stream, np.concatenate(images), np.concatenate(flags), numbers)

    def _pieces(
        self, events: int, size: int, eta_max: float
    ) -> list[tuple[Images, npt.NDArray[np.bool_]]]:
        pieces = []
        while events:
            part, hits, flags = self._part()
            start = self._next - part.first
            stop = min(start + events, part.events)
            pieces.append((render(hits.rows(start, stop), size, eta_max), flags[start:stop]))
            self._next += stop - start
            events -= stop - start
        return pieces

    def _part(self) -> tuple[Part, Hits, npt.NDArray[np.bool_]]:
        """Return the part that holds the next event."""
        if self._open is None or self._next >= self._open[0].first + self._open[0].events:
            part = next(
                part for part in self._stream.parts if self._next < part.first + part.events
            )
            self._open = (part, *parts.read(part.file))
        return self._open


def _columns(
    stream: Stream,
    images: Images,
    passed_cuts: npt.NDArray[np.bool_],
    numbers: npt.NDArray[np.int64],
) -> Columns:
    process = stream.process
    of_process = {
        "label": np.int32(process.label),
        "weight": np.float32(stream.weight),
        "normweight": np.float32(stream.normalised_weight),
        "mg": np.float32(process.masses[0]),
        "mn": np.float32(process.masses[1]),
        "jz": np.int32(process.slice_number),
    }
    return {
        "data": images,
        "psr": passed_cuts.astype(np.int32),
        "eid": event_ids(stream.data_set, process, numbers),
        **{name: np.full(len(numbers), value) for name, value in of_process.items()},
    }


def event_ids(
    data_set: int, process: Process, numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the `eid` of a process's events by their numbers; no two events share one."""
    # The number of the data set follows from all settings, not from the seed alone: two data sets
    # that differ in size or window would else number different events alike.
    return (data_set * PROCESSES + process.number) * EVENTS_PER_PROCESS + numbers


def _dataset(h5: Any, name: str, values: npt.NDArray[Any], events: int) -> Any:
    if name in h5:
        return h5[name]
    compression: dict[str, Any] = {}
    if name == "data":
        chunk = (min(IMAGES_PER_CHUNK, events), *values.shape[1:])
        # No shuffle filter: it makes sparse images larger.
        compression = {"chunks": chunk, "compression": "gzip", "compression_opts": GZIP_LEVEL}
    return h5.create_dataset(name, (events, *values.shape[1:]), values.dtype, **compression)


def _describe(h5: Any, target: SplitFile) -> None:
    h5.attrs.update(
        {
            "axes": ["event", "channel", "phi", "eta"],
            "channels": list(CHANNELS),
            "units": list(UNITS),
            "phi_range": [-np.pi, np.pi],
            "eta_range": [-target.eta_max, target.eta_max],
        }
    )
    for name, value in target.attributes.items():
        h5.attrs[name] = value if isinstance(value, str) else json.dumps(value)

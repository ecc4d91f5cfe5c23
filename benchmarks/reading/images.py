"""Write images of 64 x 64 x 3 float32 to an HDF5 file, and read them as splits.

Does not import torch: reading processes import this.
"""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np

from baryon.data.hdf5.table import Hdf5Table
from baryon.interfaces import Arrays, Field, Split

SECONDS_TO_ANSWER = 0.05
SHAPE = (3, 64, 64)
CHUNK = 64


def write(path: Path, samples: int, *, fletcher32: bool = False) -> None:
    """Write noise of which gzip leaves about two thirds.

    `fletcher32` adds checksums, which only the HDF5 library can check.
    """
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        stored = file.create_dataset(
            "data",
            (samples, *SHAPE),
            "f4",
            chunks=(CHUNK, *SHAPE),
            compression="gzip",
            shuffle=True,
            fletcher32=fletcher32,
        )
        for start in range(0, samples, CHUNK):
            noise = random.standard_normal((CHUNK, *SHAPE), np.float32)
            noise.view(np.uint32)[:] &= np.uint32(0xFFFFF800)
            stored[start : start + CHUNK] = noise


class Images(Split):
    """The split that Baryon reads."""

    parallel_reads = True
    fields = {"inputs": Field(SHAPE, "float32")}  # noqa: RUF012

    def __init__(self, path: Path) -> None:
        self.table = Hdf5Table([path], {"data": "data"})

    def __len__(self) -> int:
        return len(self.table)

    def chunk_starts(self) -> list[int]:
        """Return the chunks of the file."""
        return self.table.chunk_starts("data")

    def read(self, start: int, stop: int) -> Arrays:
        """Read images as they are stored."""
        return {"inputs": self.table.read("data", start, stop)}

    def fingerprint(self) -> str:
        """Return the fingerprint of the file."""
        return self.table.fingerprint()

    def close(self) -> None:
        """Close the file."""
        self.table.close()


class Distant(Images):
    """The same images in a store that answers after a while, to one reader at a time."""

    parallel_reads = False

    def read(self, start: int, stop: int) -> Arrays:
        """Wait, then read images as they are stored."""
        time.sleep(SECONDS_TO_ANSWER)
        return super().read(start, stop)


class Turned(Images):
    """The same images, each turned at random in Python."""

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Turn images by quarters, then roll them by some pixels."""
        images = arrays["inputs"]
        turned = [np.rot90(image, int(random.integers(4)), axes=(1, 2)) for image in images]
        rolled = [np.roll(image, random.integers(0, 64, 2), axis=(1, 2)) for image in turned]
        return {**arrays, "inputs": np.stack(rolled)}

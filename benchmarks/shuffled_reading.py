"""Read gzip HDF5 shuffled, against torch's DataLoader, and against blocks in one thread.

    python benchmarks/shuffled_reading.py [--samples 6144] [--threads 2]

Samples are images of 64 x 64 x 3 float32 (48 KiB) with noise in their upper 12 bits of mantissa,
in chunks of 64, shuffle filter and gzip. The alternatives:

* a `DataLoader` over h5py with random index and as many worker processes (a few samples only: it
  decodes a chunk for each), which is how a tutorial would do it;
* a single thread that reads whole chunks in random order through h5py, and shuffles within them.

They take turns three times, and the best of each counts. The file is in the page cache.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
from reading.images import CHUNK, SHAPE, Images, write
from torch.utils.data import DataLoader, Dataset, RandomSampler

from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.system.allocator import keep_freed_memory

BATCH = 64
TURNS = 3
RATIO_TO_DATALOADER = 60.0
RATIO_TO_BLOCKS = 1.5


class ByIndex(Dataset[torch.Tensor]):
    """Read one sample at a time for the DataLoader; a worker opens the file at its first one."""

    def __init__(self, path: Path, samples: int) -> None:
        self._path, self._samples = path, samples
        self._stored: h5py.Dataset | None = None

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> torch.Tensor:
        if self._stored is None:
            self._stored = h5py.File(self._path, "r")["data"]
        return torch.from_numpy(self._stored[index])


def baryon(path: Path, threads: int) -> float:
    """Return the samples a second of a whole shuffled epoch."""
    split = Images(path)
    loading = Loading(
        batch_size=BATCH,
        window_mib=64,
        prefetch=4,
        seed=1,
        threads=threads,
        device=torch.device("cpu"),
    )
    start = time.perf_counter()
    count = sum(len(batch["keys"]) for batch in Loader(split, loading).shuffled(0))
    split.close()
    return count / (time.perf_counter() - start)


def blocks(path: Path) -> float:
    """Return the samples a second of chunks in random order, each shuffled, in one thread."""
    random = np.random.default_rng(1)
    start, count = time.perf_counter(), 0
    with h5py.File(path) as file:
        stored = file["data"]
        for first in random.permutation(range(0, len(stored), CHUNK)):
            block = stored[first : first + CHUNK][random.permutation(CHUNK)]
            count += len(torch.from_numpy(block))
    return count / (time.perf_counter() - start)


def dataloader(path: Path, samples: int, workers: int) -> float:
    """Return the samples a second of a DataLoader after its workers have started."""
    data = ByIndex(path, samples)
    sampler = RandomSampler(data, num_samples=5 * workers * CHUNK // 8)
    loader = DataLoader(data, CHUNK // 8, sampler=sampler, num_workers=workers)
    batches = iter(loader)
    for _ in range(workers):
        next(batches)
    start = time.perf_counter()
    count = sum(len(batch) for batch in batches)
    return count / (time.perf_counter() - start)


def best(*ways: Callable[[], float]) -> list[float]:
    """Return the best rate of each way, measured in turns."""
    turns = [[way() for way in ways] for _ in range(TURNS)]
    return [max(rates) for rates in zip(*turns, strict=True)]


def main() -> None:
    """Write a file, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=6144)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()  # as a run on a CPU does
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.h5"
        write(path, options.samples)
        size = path.stat().st_size / (options.samples * 4 * np.prod(SHAPE))
        rate, one_thread, single, alternative = best(
            lambda: baryon(path, options.threads),
            lambda: baryon(path, 1),
            lambda: blocks(path),
            lambda: dataloader(path, options.samples, options.threads),
        )
    print(f"gzip leaves {size:.0%}; one decoding thread {one_thread:,.0f} samples/s")
    print(f"DataLoader {alternative:,.1f} samples/s; blocks in one thread {single:,.0f} samples/s")
    print(f"ratio to blocks in one thread {rate / single:.2f} (goal {RATIO_TO_BLOCKS})")
    figures = {
        "name": f"shuffled reading of gzip HDF5, chunks of {CHUNK}, {options.threads} threads",
        "value": round(rate),
        "unit": "samples/s",
        "alternative": f"DataLoader over h5py, random index, {options.threads} workers",
        "ratio": round(rate / alternative, 1),
        "goal": RATIO_TO_DATALOADER,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

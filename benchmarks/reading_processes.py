"""Read by processes, against one thread, files that only the HDF5 library can decode.

    python benchmarks/reading_processes.py [--samples 4096] [--processes 2]

Samples are images of 64 x 64 x 3 float32 (48 KiB), as in `shuffled_reading.py`, in chunks of 64;
gzip with a Fletcher32 checksum, which the library alone undoes, under one lock. Plain; with an
`augment` in Python that turns each image by itself; and from a store that takes 50 ms to answer.

The processes have started before; an epoch before the first turn has them open the file. Both ways
take turns three times, and the best of each counts. The file is in the page cache. The processor's
time, of all processes together, tells on a busy machine what two free cores would make of it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path

import torch
from reading.images import Distant, Images, Turned, write
from shuffled_reading import BATCH, best

from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.data.workers.worker_group import WorkerGroup
from baryon.interfaces import Split
from baryon.system.allocator import keep_freed_memory

GOAL = 1.3
"""Ratio with two processes on two cores, which the collating shares."""


def processor_seconds() -> float:
    """Return the processor time of this process and its children until now."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for process in ("self", *children):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rate(split: Split, readers: WorkerGroup | None) -> float:
    """Return the samples a second of a whole shuffled epoch."""
    loading = Loading(
        batch_size=BATCH,
        window_mib=64,
        prefetch=4,
        seed=1,
        threads=1,
        device=torch.device("cpu"),
        readers=readers,
    )
    start = time.perf_counter()
    count = sum(len(batch["keys"]) for batch in Loader(split, loading).shuffled(0))
    return count / (time.perf_counter() - start)


def main() -> None:
    """Write a file, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()  # as a run on a CPU does
    torch.set_num_threads(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(WorkerGroup(options.processes)) as readers,
    ):
        path = Path(folder) / "images.h5"
        write(path, options.samples, fletcher32=True)
        begun = time.perf_counter()
        readers.start()
        print(f"the processes started in {time.perf_counter() - begun:.2f} s")
        splits = {
            "": Images(path),
            ", each turned in Python": Turned(path),
            ", after 50 ms a chunk": Distant(path),
        }
        for what, split in splits.items():
            compare(what, split, readers)
            split.close()


def compare(what: str, split: Split, readers: WorkerGroup) -> None:
    """Measure both in turn; print processor times and one line of JSON."""
    used = []
    for way in (readers, readers, None):  # the first has the processes open the file
        before = processor_seconds()
        rate(split, way)
        used.append(processor_seconds() - before)
    print(f"processor time: processes {used[1]:.2f} s, one thread {used[2]:.2f} s")
    processes, thread = best(lambda: rate(split, readers), lambda: rate(split, None))
    figures = {
        "name": f"shuffled reading of gzip + Fletcher32{what}, {readers.count} processes",
        "value": round(processes),
        "unit": "samples/s",
        "alternative": f"one thread, {thread:,.0f} samples/s",
        "ratio": round(processes / thread, 2),
        "goal": GOAL,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Share the GPUs of this machine out among the jobs that run on it at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from baryon.system.locks import Lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")
"""Folder in which NVIDIA's driver has nvidia0, nvidia1, ..."""


def visible(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return CUDA's names of the GPUs that this process may use."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    # By the driver's files, not by PyTorch or CUDA: a sweep must not hold a context on a GPU.
    return [str(number) for number, _ in enumerate(DEVICES.glob("nvidia[0-9]*"))]


def portions(gpus: Sequence[str], ranks: int, at_once: int) -> list[list[str]]:
    """Split the GPUs into one portion for each of the `at_once` jobs that run at a time.

    A job gets as many as it has ranks while there are enough; jobs that outnumber the GPUs take
    them in turn.
    """
    size = max(1, min(ranks, len(gpus) // at_once))
    return [
        [gpus[(job * size + number) % len(gpus)] for number in range(size)]
        for job in range(at_once)
    ]


@contextmanager
def reserved(sweep: Path, ranks: int, at_once: int) -> Iterator[dict[str, str]]:
    """Reserve a portion that no other job of the sweep has, while the block runs.

    Gives the environment of the job: empty where there is no choice, and where all portions are
    taken by jobs that an earlier start of the sweep has left running.
    """
    gpus = visible()
    if at_once == 1 or len(gpus) < 2:
        yield {}
        return
    # A lock lives as long as its job: jobs of different length leave no GPU idle, as taking turns
    # by number would.
    for number, names in enumerate(portions(gpus, ranks, at_once)):
        lock = Lock(sweep, f".gpus-{number}")
        if lock.acquire():
            try:
                yield {VISIBLE: ",".join(names)}
            finally:
                lock.release()
            return
    yield {}

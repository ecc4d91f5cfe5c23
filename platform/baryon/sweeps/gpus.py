"""The GPUs of this machine, shared out among the jobs that run on it at the same time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")
"""Where NVIDIA's driver has nvidia0, nvidia1, ...: counted without loading CUDA or PyTorch."""


def visible(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What CUDA calls the GPUs that this process may use."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(DEVICES.glob("nvidia[0-9]*"))]


def portions(gpus: Sequence[str], ranks: int, at_once: int) -> list[list[str]]:
    """For each of the jobs of so many `ranks` that run `at_once` the GPUs that it may use.

    As many as it has ranks while there are enough; jobs that outnumber the GPUs take them in turn.
    """
    each = max(1, min(ranks, len(gpus) // at_once))
    return [
        [gpus[(job * each + number) % len(gpus)] for number in range(each)]
        for job in range(at_once)
    ]


@contextmanager
def held(sweep: Path, ranks: int, at_once: int) -> Iterator[dict[str, str]]:
    """A portion that no other running job of the sweep has, as the environment of a job.

    Nothing where there is no choice. It is locked while this process lives: a free portion is one
    whose job has ended, however it did.
    """
    gpus = visible()
    if at_once == 1 or len(gpus) < 2:
        yield {}
        return
    for number, names in enumerate(portions(gpus, ranks, at_once)):
        handle = os.open(sweep / f".gpus-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield {VISIBLE: ",".join(names)}
                return
        finally:
            os.close(handle)
    yield {}  # jobs of an earlier sweep still run: all share what there is

"""Measure how long a checkpoint of 300 MiB delays the step, against `torch.save` in its place.

    python benchmarks/checkpoint.py [--mib 300] [--times 5]

Between two checkpoints steps are computed: matrix products on all threads, about 0.4 s each, as
long as one of `hep_cnn` at 224 in bf16. The step is delayed while it waits: in the request, and for
the copy before the weights may change. The thread that then writes file and checksum takes
processor time from the steps: `slower_steps_ms` says how much.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from baryon.system.allocator import keep_freed_memory
from baryon.training.checkpoints.folder import Folder
from baryon.training.checkpoints.names import LAST
from baryon.training.checkpoints.saver import Saver

GOAL = 10.0
MIB = 2**20
STEPS_BETWEEN = 4
SECONDS_OF_STEP = 0.4


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def make_step() -> Callable[[], None]:
    """Return work of about `SECONDS_OF_STEP` on all threads, in place of forward and backward."""
    matrix = torch.randn(1536, 1536)
    product = min(timed(lambda: matrix @ matrix) for _ in range(5))
    count = max(1, round(SECONDS_OF_STEP / product))

    def step() -> None:
        for _ in range(count):
            matrix @ matrix

    return step


def make_state(mib: int) -> dict[str, torch.Tensor]:
    """Return a state in tensors of 4 MiB, as weights and Adam's two moments would be."""
    return {f"w{n}": torch.randn(MIB) for n in range(mib // 4)}


def main() -> None:
    """Take plain and asynchronous checkpoints in turn; print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=300)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()
    state, step = make_state(options.mib), make_step()
    plain, delays, slower = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        saver, checkpoints = Saver(), Folder(path, keep=1, shard_gib=8.0)

        def request(number: int) -> None:
            saver.save(checkpoints.write, LAST, number, {"model": state}, lambda place: False)

        for number in range(1 + options.times):
            usual = statistics.median(timed(step) for _ in range(STEPS_BETWEEN))
            plain_save = timed(lambda: torch.save(state, path / "plain.pt"))
            time.sleep(1)  # what the kernel still writes counts for neither
            requesting = timed(partial(request, number))
            during = timed(step)
            waiting = timed(saver.wait_for_copies)
            during += sum(timed(step) for _ in range(STEPS_BETWEEN - 1))
            saver.finish()
            time.sleep(1)
            if number:  # the first one makes its buffers
                plain.append(plain_save)
                delays.append(requesting + waiting)
                slower.append(during - STEPS_BETWEEN * usual)
    value = statistics.median(delays)
    figures = {
        "name": f"asynchronous checkpoint of {options.mib} MiB: the step waits",
        "value": round(1e3 * value, 2),
        "unit": "ms",
        "alternative": f"torch.save, {1e3 * statistics.median(plain):.0f} ms",
        "ratio": round(statistics.median(plain) / max(value, 1e-4), 2),
        "goal": GOAL,
        "slower_steps_ms": round(1e3 * statistics.median(slower), 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

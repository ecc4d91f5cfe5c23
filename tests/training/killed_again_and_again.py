"""Train one run, killed at random times and gone on with each time; see test_kill_points.py.

python killed_again_and_again.py <seed> <kills> <overrides ...>

Everything is imported once; each life of the run is a fork, which makes a kill cost no more than
the steps it undoes. Prints how often each signal met a run that was training.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import h5py  # noqa: F401
import hydra.utils  # noqa: F401
import rich.table  # noqa: F401
import torch

from baryon import cli
from baryon.training import run as training_run  # noqa: F401  imported before the forks
from baryon_hep.dataset import hep_images  # noqa: F401
from baryon_hep.evaluator import hep_roc  # noqa: F401

RUN = Path("runs/killed")
STEP = 0.02
torch.set_num_threads(1)


def live(arguments: list[str]) -> int:
    """One life in a process of its own."""
    child = os.fork()
    if child:
        return child
    os._exit(cli.main(arguments))  # without the parent's exit handlers


def log_length() -> int:
    log = RUN / "metrics.jsonl"
    return log.read_text().count('"kind": "train"') if log.is_file() else 0


def await_progress(child: int, steps: int) -> None:
    """Until the log has so many steps more."""
    goal = log_length() + steps
    while log_length() < goal:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            raise SystemExit(f"it ended by itself: {status}")
        time.sleep(0.002)


def main() -> None:
    dice = random.Random(int(sys.argv[1]))  # noqa: S311  no secret
    kills, overrides = int(sys.argv[2]), sys.argv[3:]
    met: Counter[str] = Counter()
    arguments = ["train", *overrides, "run.name=killed"]
    for _ in range(kills):
        child = live(arguments)
        await_progress(child, dice.randint(3, 6))
        time.sleep(dice.random() * STEP)
        number = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        expected = number if number == signal.SIGKILL else (128 + number) << 8
        if status != expected:
            raise SystemExit(f"{number.name} ended it with {status}")
        met[number.name] += 1
        arguments = ["resume", f"run={RUN}"]
    _, status = os.waitpid(live(arguments), 0)
    print(dict(met))  # noqa: T201
    raise SystemExit(status)


if __name__ == "__main__":
    main()

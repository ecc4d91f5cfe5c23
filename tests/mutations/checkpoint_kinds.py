"""Checkpoints: with flipped bytes, and with odd content under a right checksum."""

import contextlib
import copy
import functools
import hashlib
import io
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from outcomes import Kind, by_command

from baryon.training.checkpoints import file

RUN = Path("runs") / "short"
LAST = RUN / "checkpoints" / "last.pt"
DATA = Path("..") / "data" / "events.h5"
"""Beside the run's folder, of which there are copies: a checkpoint knows the absolute name."""
CHANGE = Path("change.bin")
"""Damaged in place of a checkpoint: its bytes are the seed of one change of the content."""
DEEP = functools.reduce(lambda value, _: [value], range(100), 1)
ODD: Sequence[Any] = (
    None, True, -1, 0, 1, 2**31, 2**70, -(2**70), 1e308, float("nan"), float("inf"), "", "x", [],
    [1], [[1, 2, 3]], {}, {"x": 1}, {1: 2}, DEEP, torch.zeros(0), torch.zeros(3), torch.tensor(1),
    torch.zeros(1).expand(2**40), torch.full((2, 2), float("nan")),
)  # fmt: skip


def write_run(folder: Path) -> None:
    """Write a run that was stopped after 2 of 3 steps, and its data."""
    chance = np.random.default_rng(1)
    (folder / DATA.parent).mkdir()
    with h5py.File(folder / DATA, "w") as events:
        events["data"] = chance.random((24, 3, 64, 64), np.float32)
        events["label"] = np.arange(24, dtype=np.int32) % 2
        events["weight"] = chance.random(24, np.float32)
        events["normweight"] = chance.random(24, np.float32)
        events["psr"] = (chance.random(24) > 0.5).astype(np.int32)
    command = [
        sys.executable, "-m", "baryon", "train", "dataset=hep_images", "model=hep_cnn",
        "model.filters=2", "train.steps=3", "train.batch_size=8", "train.checkpoint_every_steps=2",
        "train.ema=0.9",
        "train.precision=fp32", "train.compile=never", "train.keep_checkpoints=2",
        f"dataset.train={DATA}", f"dataset.test={DATA}", "evaluator.bootstrap=2",
        "evaluator.example_images=0", "tracking.tensorboard=false", f"run.name={RUN.name}",
    ]  # fmt: skip
    # In a process of its own: who has trained has threads, and its forks would wait for them.
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with contextlib.chdir(folder):
        (RUN / "metrics.json").unlink()
        LAST.unlink()
        (RUN / "checkpoints" / "step-00000003.pt").unlink()
        (RUN / "checkpoints" / "step-00000002.pt").rename(LAST)


def write_checkpoint(folder: Path) -> Sequence[Path]:
    """Write a run whose checkpoint is to be damaged."""
    write_run(folder)
    return [folder / LAST]


def write_change(folder: Path) -> Sequence[Path]:
    """Write a run, and the file that says how the content of its checkpoint is changed."""
    write_run(folder)
    (folder / CHANGE).write_bytes(bytes(64))
    return [folder / CHANGE]


def read_run(folder: Path) -> str:
    """Show the samples of its last step, then go on with it; SHA-256 of the last weights."""
    os.chdir(folder)
    by_command("data", "show", f"run={RUN}")
    by_command("resume", f"run={RUN}")
    model = file.load(LAST)["model"]
    return hashlib.sha256(b"".join(model[name].numpy().tobytes() for name in model)).hexdigest()


def read_changed(folder: Path) -> str:
    """Change the content as the seed says, under a right checksum, then read it."""
    seed = (folder / CHANGE).read_bytes()
    if seed != bytes(64):
        state = changed(file.load(folder / LAST), random.Random(seed))  # noqa: S311  damage
        body = io.BytesIO()
        torch.save(state, body)
        whole = body.getvalue()[: -file.LENGTH_BYTES]
        comment = file.PREFIX + hashlib.sha256(whole).hexdigest().encode()
        (folder / LAST).write_bytes(whole + len(comment).to_bytes(2, "little") + comment)
    return read_run(folder)


def changed(state: Any, chance: random.Random) -> Any:
    """Replace one value anywhere in the tree by an odd one, or take it out, or add one."""
    state = copy.deepcopy(state)
    container, key = chance.choice(list(_places(state)))
    how = chance.choice(("replace", "replace", "replace", "remove", "add"))
    if how == "replace":
        container[key] = chance.choice(ODD)
    elif how == "remove":
        del container[key]
    elif isinstance(container, list):
        container.append(chance.choice(ODD))
    else:
        container[chance.choice(("extra", 7))] = chance.choice(ODD)
    return state


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


KINDS = [
    Kind("checkpoint, flipped", write_checkpoint, read_run),
    Kind("checkpoint, crafted", write_change, read_changed),
]

"""Read global frames from gzip files as a training does, against plain h5py.

    python benchmarks/climate_frames.py [--frames 16] [--threads 2] [--height 768]

A file in the layout of ExtremeWeather is generated: 16 x 768 x 1152 float32, 57 MB a frame, all 23
bits of the mantissa, one chunk a frame, shuffle filter and gzip. Baryon's loader serves batches of
one frame, normalised, with boxes, from `dataset=climate_extreme_weather`; the alternative reads
`images[number]` by h5py in the same random order and normalises the frame, as a tutorial would.
A second pair of figures is for crops of 768 x 768.

They take turns three times, and the best of each counts. The file is in the page cache. Beside
frames a second of the clock stand frames a second of processor time, which a busy machine changes
little.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

import baryon_climate
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.system.allocator import keep_freed_memory
from baryon_climate.dataset.climate_extreme_weather import ClimateExtremeWeather
from baryon_climate.dataset.frames import Frames
from baryon_climate.generation.generate import generate

TURNS = 3
YEAR = 1979
GOAL = 3.0
"""Ratio with two threads on two cores."""
CONF = Path(baryon_climate.__file__).parent / "conf"


def write(folder: Path, frames: int, height: int) -> None:
    """Write a file of frames that are a week apart."""
    option = yaml.safe_load((CONF / "generate/climate_extreme_weather.yaml").read_text())
    changes = {"out": str(folder), "years": YEAR, "frames": frames, "step_hours": 168}
    generate(**option | changes | {"height": height, "significant_bits": 23, "part_frames": 4})


def open_split(folder: Path, crop: int | None) -> Frames:
    """Open the training split; its statistics are in the cache after the first time."""
    option = yaml.safe_load((CONF / "dataset/climate_extreme_weather.yaml").read_text())
    del option["name"], option["defaults"]
    changes = {"folder": str(folder), "train": YEAR, "crop": crop}
    return ClimateExtremeWeather(**option | changes).splits["train"]


def rates(count: int, clock: float, processor: float) -> tuple[float, float]:
    """Return the frames a second of the clock, and of processor time, since two readings."""
    return count / (time.perf_counter() - clock), count / (time.process_time() - processor)


def baryon(split: Frames, threads: int) -> tuple[float, float]:
    """Return the rates of a shuffled epoch."""
    loading = Loading(
        batch_size=1,
        window_mib=256,
        prefetch=2,
        seed=1,
        threads=threads,
        device=torch.device("cpu"),
    )
    start = time.perf_counter(), time.process_time()
    count = sum(len(batch["keys"]) for batch in Loader(split, loading).shuffled(0))
    return rates(count, *start)


def plain(path: Path, split: Frames, crop: int | None) -> tuple[float, float]:
    """Return the rates of the same by h5py."""
    middle, half = split.scaling.T[..., None, None]
    start = time.perf_counter(), time.process_time()
    with h5py.File(path, "r", locking=False) as file:
        images, boxes = file["images"], file["boxes"]
        for number in np.random.default_rng(1).permutation(len(images)).tolist():
            frame, _ = images[number], boxes[number]
            torch.from_numpy((frame[:, :, :crop] - middle) / half)
        return rates(len(images), *start)


def main() -> None:
    """Print one line of JSON for each size of sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--height", type=int, default=768)
    arguments = parser.parse_args()
    keep_freed_memory()  # as a run on a CPU does
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        write(Path(folder), arguments.frames, arguments.height)
        path = Path(folder) / f"climo_{YEAR}.h5"
        for name, crop in (("whole frames", None), ("crops", arguments.height)):
            compare(path, name, crop, arguments.threads)


def compare(path: Path, name: str, crop: int | None, threads: int) -> None:
    """Measure both in turn and print the best of each."""
    split = open_split(path.parent, crop)
    baryon_rates, plain_rates = [], []
    for _ in range(TURNS):
        baryon_rates.append(baryon(split, threads))
        plain_rates.append(plain(path, split, crop))
    split.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (value, core), (alternative, alternative_core) = (
        tuple(map(max, zip(*turns, strict=True))) for turns in (baryon_rates, plain_rates)
    )
    print(
        f"{name}: {core:.2f} frames a second of processor time, plain h5py "
        f"{alternative_core:.2f}: ratio {core / alternative_core:.2f}"
    )
    figures = {
        "name": f"climate_frames, {name}, {memory:,.0f} MiB of memory at most",
        "value": round(value, 2),
        "unit": "frames/s",
        "alternative": f"plain h5py {alternative:.2f}",
        "ratio": round(value / alternative, 2),
        "goal": GOAL,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()

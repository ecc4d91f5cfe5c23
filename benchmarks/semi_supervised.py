"""Do frames without labels help? The reconstruction branch on and off, with a tenth of the labels.

    python benchmarks/semi_supervised.py [--folder DIR] [--seeds 1 2 3] [--epochs 30]

Synthetic frames of 96 x 144 (about 2 degrees): 240 to learn from, of which 24 keep their labels,
and 240 of other years to test on. `climate_15pf`, narrow and with 3 x 3 kernels so that a laptop
can do it, learns for the same steps from the same frames with the branch (`semi`) and without
(`supervised`); a seed chooses the weights, the order and the frames that keep their labels. Both
are evaluated with their last weights. What is there in the folder is not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import TypeAlias

BARYON = Path(sys.executable).parent / "baryon"
METRICS = (
    "mean_ap_10",
    "mean_ap_30",
    "mean_ap_50",
    "ap_10_TD",
    "ap_10_TC",
    "ap_10_ETC",
    "ap_10_AR",
)
DATA = (
    "dataset=climate_extreme_weather",
    "dataset.train=1979-1982",
    "dataset.test=1991-1994",
    "dataset.empty_frames=labelled",
    "dataset.augment=true",
    "evaluator.heuristic=null",
    "evaluator.example_maps=0",
    "evaluator.bootstrap=2",
    "train.batch_size=8",
    "train.learning_rate=1e-3",
    "train.schedule=cosine",
    "train.warmup_steps=50",
    "train.weights=last",
    "train.compile=never",
)
NETWORK = (
    "dataset.labelled_share=0.1",
    "model=climate_15pf",
    "model.width=0.0625",
    "model.kernel=3",
    "model.cell=4",
)
ARMS = {
    "supervised": (*NETWORK, "model.reconstruction=false"),
    "semi, lambda 10": (*NETWORK, "model.reconstruction=true", "loss.reconstruction=10"),
}

Found: TypeAlias = dict[str, list[dict[str, float]]]
"""Arm -> the metrics of its runs, one a seed."""


def generate(folder: Path) -> None:
    """Years that share no weather."""
    if not (folder / "generation.json").is_file():
        run("data", "generate", "dataset=climate_extreme_weather", f"generate.out={folder}",
            "generate.years=1979-1994", "generate.frames=60", "generate.height=96")  # fmt: skip


def run(*arguments: str) -> None:
    """Run `baryon` with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([BARYON, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)


def trained(
    folder: Path, arm: str, arguments: Sequence[str], seed: int, epochs: int
) -> dict[str, float]:
    """The metrics of one run."""
    name = f"{arm.replace(', ', '-').replace(' ', '-')}-{epochs}-{seed}"
    metrics = folder / "runs" / name / "metrics.json"
    if not metrics.is_file():
        run("train", *DATA, *arguments, f"dataset.folder={folder / 'frames'}", f"seed={seed}",
            f"dataset.labelled_seed={seed}", f"train.epochs={epochs}",
            f"train.validate_every_epochs={epochs}", f"run.root={folder / 'runs'}",
            f"run.name={name}")  # fmt: skip
    found: dict[str, float] = json.loads(metrics.read_text())
    return found


def table(found: Found, seeds: Sequence[int]) -> None:
    """A line for each arm and seed, and the mean of each arm."""
    print("| arm | seed |", " | ".join(METRICS), "|")
    print("|---|---|" + "---|" * len(METRICS))
    for arm, runs in found.items():
        for seed, metrics in zip(seeds, runs, strict=True):
            print(f"| {arm} | {seed} |", " | ".join(f"{metrics[n]:.3f}" for n in METRICS), "|")
        print(f"| {arm} | mean |", " | ".join(spread([m[n] for m in runs]) for n in METRICS), "|")


def spread(values: Sequence[float]) -> str:
    """Mean and standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{mean(values):.3f} ± {error:.3f}"


def compare(told: str, arms: Mapping[str, Sequence[str]], epochs: int) -> Found:
    """Each arm learns once a seed; shows a row for each arm and seed, and their means."""
    parser = argparse.ArgumentParser(description=told.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=epochs)
    options = parser.parse_args()
    found: Found = {arm: [] for arm in arms}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        generate(folder / "frames")
        for seed in options.seeds:
            for arm, arguments in arms.items():
                found[arm].append(trained(folder, arm, arguments, seed, options.epochs))
    table(found, options.seeds)
    return found


def tell_gain(found: Found, metric: str, name: str, alternative: str) -> None:
    """The line for `run_all.py`: the second arm against the first, seed by seed."""
    before, after = ([metrics[metric] for metrics in runs] for runs in found.values())
    gains = [one - other for one, other in zip(after, before, strict=True)]
    figures = {
        "name": name,
        "value": round(mean(after), 3),
        "unit": f"gain {spread(gains)} over {len(gains)} seeds",
        "alternative": f"{alternative}, {mean(before):.3f}",
        "ratio": round(mean(after) / max(mean(before), 1e-6), 3),
        "goal": 1.0,
    }
    print(json.dumps(figures))


def main() -> None:
    """With the branch against without it."""
    found = compare(__doc__ or "", ARMS, epochs=30)
    name = "mean AP at IoU 0.1 with a tenth of the labels, with reconstruction"
    tell_gain(found, "mean_ap_10", name, "supervised only")


if __name__ == "__main__":
    main()

"""Train arms, ways of training a climate detector, once a seed, and compare their metrics.

All arms learn for the same steps from the same synthetic frames of 96 x 144 (about 2 degrees): 240
to learn from, 240 of other years to test on. A seed chooses the weights, the order and the frames
that keep their labels. All are evaluated with their last weights.
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
from dataclasses import dataclass
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

Results: TypeAlias = dict[str, list[dict[str, float]]]
"""Metrics of the runs of each arm, one a seed."""


@dataclass(frozen=True)
class Comparison:
    """Arms of equal length, and the metric by which pairs of them are compared."""

    arms: Mapping[str, Sequence[str]]
    """Arguments of `baryon train` by the name of the arm."""
    unit: str
    """What the length of a run is counted in: `epochs` or `steps`."""
    length: int
    metric: str
    name: str
    """What the metric is called in the table of all benchmarks."""
    pairs: Sequence[tuple[str, str]]
    """Arms to compare: the alternative first."""

    def main(self, description: str) -> None:
        """Run the benchmark with the options of the command line."""
        parser = argparse.ArgumentParser(description=description.splitlines()[0])
        parser.add_argument("--folder", type=Path, help="where frames and runs stay, and are used")
        parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
        parser.add_argument(f"--{self.unit}", type=int, default=self.length)
        options = parser.parse_args()
        with tempfile.TemporaryDirectory() as temporary:
            length = getattr(options, self.unit)
            results = self._train(options.folder or Path(temporary), options.seeds, length)
        print_table(results, options.seeds)
        for alternative, arm in self.pairs:
            self._print_gain(results, alternative, arm)

    def _train(self, folder: Path, seeds: Sequence[int], length: int) -> Results:
        generate(folder / "frames")
        results: Results = {arm: [] for arm in self.arms}
        for seed in seeds:  # seed by seed, so that an interrupted comparison has whole pairs
            for arm, arguments in self.arms.items():
                results[arm].append(train(folder, arm, arguments, seed, self.unit, length))
        return results

    def _print_gain(self, results: Results, alternative: str, arm: str) -> None:
        """Print the line for `run_all.py`: an arm against another, seed by seed."""
        before, after = ([run[self.metric] for run in results[name]] for name in (alternative, arm))
        gains = [new - old for new, old in zip(after, before, strict=True)]
        figures = {
            "name": f"{self.name}, {arm}",
            "value": round(mean(after), 3),
            "unit": f"gain {mean_and_error(gains)} over {len(gains)} seeds",
            "alternative": f"{alternative}, {mean(before):.3f}",
            "ratio": round(mean(after) / max(mean(before), 1e-6), 3),
            "goal": 1.0,
        }
        print(json.dumps(figures))


def baryon(*arguments: str) -> None:
    """Run `baryon` with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([BARYON, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)


def generate(folder: Path) -> None:
    """Generate years of frames that share no weather, unless they are in the folder."""
    if not (folder / "generation.json").is_file():
        baryon("data", "generate", "dataset=climate_extreme_weather", f"generate.out={folder}",
               "generate.years=1979-1994", "generate.frames=60", "generate.height=96")  # fmt: skip


def train(
    folder: Path, arm: str, arguments: Sequence[str], seed: int, unit: str, length: int
) -> dict[str, float]:
    """Return the metrics of one run, which is trained unless it is in the folder."""
    name = f"{arm}-{length}-{seed}"
    epochs = length if unit == "epochs" else length + 1  # an epoch has a step at least
    path = folder / "runs" / name / "metrics.json"
    if not path.is_file():
        lengths = [f"train.epochs={epochs}", f"train.validate_every_epochs={epochs}"]
        lengths += [f"train.steps={length}"] if unit == "steps" else []
        baryon("train", *DATA, *arguments, *lengths, f"dataset.folder={folder / 'frames'}",
               f"seed={seed}", f"dataset.labelled_seed={seed}", f"run.root={folder / 'runs'}",
               f"run.name={name}")  # fmt: skip
    metrics: dict[str, float] = json.loads(path.read_text())
    return metrics


def print_table(results: Results, seeds: Sequence[int]) -> None:
    """Print a row for each arm and seed, and the mean of each arm."""
    print("| arm | seed |", " | ".join(METRICS), "|")
    print("|---|---|" + "---|" * len(METRICS))
    for arm, runs in results.items():
        for seed, run in zip(seeds, runs, strict=True):
            print(f"| {arm} | {seed} |", " | ".join(f"{run[n]:.3f}" for n in METRICS), "|")
        means = (mean_and_error([run[n] for run in runs]) for n in METRICS)
        print(f"| {arm} | mean |", " | ".join(means), "|")


def mean_and_error(values: Sequence[float]) -> str:
    """Return the mean and its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{mean(values):.3f} ± {error:.3f}"

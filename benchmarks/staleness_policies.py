"""Compare the staleness policies: the validation loss of a training whose gradients come late.

    python benchmarks/staleness_policies.py [--workers 6] [--epochs 2] [--seeds 1]

`hep_cnn` with 16 filters on the shipped sample, SGD with momentum 0.9, `comm=async` with one
server: the same passes over the data for each way. Compared is the loss on the validation split in
the end, its mean over the seeds. The last line compares the best policy with none at all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baryon.interfaces import Table
from baryon.report.results import show_table

NO_POLICY = "plain, momentum as given"
WAYS = {
    "one process": ["comm=serial"],
    NO_POLICY: ["comm.momentum_correction=false"],
    "plain, momentum corrected": [],
    "delay compensation": [
        "comm.staleness_policy=delay_compensation",
        "comm.momentum_correction=false",
    ],
    "delay compensation, momentum corrected": ["comm.staleness_policy=delay_compensation"],
    "ringmaster": ["comm.staleness_policy=ringmaster", "comm.max_staleness=6"],
    "dana": ["comm.staleness_policy=dana", "comm.momentum_correction=false"],
}


def train(ranks: int, folder: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Train; return the loss on the validation split and the metrics of the run."""
    baryon = [sys.executable, "-m", "baryon"]
    launch = ["launch", f"ranks={ranks}"] if ranks > 1 else []
    command = [*baryon, *launch, "train", "experiment=hep_demo", "model.filters=16", *overrides]
    command += [f"run.root={folder}", "evaluator.bootstrap=5", "evaluator.example_images=0"]
    subprocess.run(command, check=True, capture_output=True)
    run = Path(folder) / "latest"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    loss = [line["loss"] for line in lines if line["kind"] == "validation"][-1]
    return {"loss": loss, **json.loads((run / "metrics.json").read_text())}


def measure(way: str, workers: int, epochs: int, seeds: Sequence[int]) -> list[Any]:
    """Return the row of the table of one way of training, averaged over the seeds."""
    runs = []
    for seed in seeds:
        overrides = [
            f"train.epochs={epochs}", "train.optimizer=sgd", "train.momentum=0.9",
            "train.learning_rate=0.01", "train.batch_size=48", f"seed={seed}",
        ]  # fmt: skip
        alone = way == "one process"
        comm = [] if alone else ["comm=async", "comm.servers=1"]
        ranks = 1 if alone else workers + 1
        with tempfile.TemporaryDirectory() as folder:
            runs.append(train(ranks, folder, [*overrides, *comm, *WAYS[way]]))
    losses = [run["loss"] for run in runs]
    mean = [statistics.mean(run.get(key, 0.0) for run in runs) for key in MEASURED]
    spread = max(losses) - min(losses)
    return [way, statistics.mean(losses), spread, *mean]


MEASURED = ("auc", "staleness", "effective_momentum", "dropped_gradients")


def main() -> None:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    options = parser.parse_args()
    rows = [measure(way, options.workers, options.epochs, options.seeds) for way in WAYS]
    show_table(Table(("way", "validation loss", "spread", *MEASURED), rows))
    losses = {way: loss for way, loss, *_ in rows if way != "one process"}
    best = min(losses, key=lambda way: losses[way])
    figures = {
        "name": f"validation loss of {options.workers} asynchronous workers, best policy: {best}",
        "value": round(losses[best], 4),
        "unit": "nats",
        "alternative": f"no policy, {losses[NO_POLICY]:.4f}",
        "ratio": round(losses[NO_POLICY] / losses[best], 3),
        "goal": 1.0,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

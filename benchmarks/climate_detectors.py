"""The modern detector against the paper's, at about the same cost, all frames labelled.

    python benchmarks/climate_detectors.py [--folder DIR] [--seeds 1 2 3] [--epochs 20]

The frames of `semi_supervised.py`: 240 of 96 x 144 to learn from, 240 of other years to test on.
The paper's network is scaled to 1.9 GFLOP a sample, forward and backward, the modern one to 1.4,
and they learn for the same steps.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

from semi_supervised import generate, spread, table, trained

ARMS = {
    "climate_15pf": ("model=climate_15pf", "model.width=0.0625", "model.cell=4"),
    "climate_modern": (
        "experiment=climate_modern",
        "model.width=0.1875",
        "model.cell=4",
        "train.optimizer=adam",
        "train.weight_decay=0",
    ),
}


def main() -> None:
    """A row for each network and seed, their means, and the gain seed by seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        generate(folder / "frames")
        for seed in options.seeds:
            for arm, runs in found.items():
                runs.append(trained(folder, arm, ARMS[arm], seed, options.epochs))
    table(found, options.seeds)
    papers, modern = ([metrics["mean_ap_50"] for metrics in runs] for runs in found.values())
    gains = [one - other for one, other in zip(modern, papers, strict=True)]
    figures = {
        "name": "mean AP at IoU 0.5 of climate_modern",
        "value": round(mean(modern), 3),
        "unit": f"gain {spread(gains)} over {len(gains)} seeds",
        "alternative": f"climate_15pf, {mean(papers):.3f}",
        "ratio": round(mean(modern) / max(mean(papers), 1e-6), 3),
        "goal": 1.0,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

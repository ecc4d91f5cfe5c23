"""Compare the modern detector with the paper's, at about the same cost, all frames labelled.

    python benchmarks/climate_detectors.py [--folder DIR] [--seeds 1 2 3] [--epochs 20]

The frames are those of `detectors/comparison.py`. The paper's network is scaled to 1.9 GFLOP a
sample, forward and backward, the modern one to 1.4, and they learn for the same steps.
"""

from __future__ import annotations

from detectors.comparison import Comparison

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

if __name__ == "__main__":
    Comparison(
        ARMS,
        unit="epochs",
        length=20,
        metric="mean_ap_50",
        name="mean AP at IoU 0.5",
        pairs=[("climate_15pf", "climate_modern")],
    ).main(__doc__ or "")

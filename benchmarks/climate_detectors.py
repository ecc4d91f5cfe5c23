"""The modern detector against the paper's, at about the same cost, all frames labelled.

    python benchmarks/climate_detectors.py [--folder DIR] [--seeds 1 2 3] [--epochs 20]

The frames of `semi_supervised.py`: 240 of 96 x 144 to learn from, 240 of other years to test on.
The paper's network is scaled to 1.9 GFLOP a sample, forward and backward, the modern one to 1.4,
and they learn for the same steps.
"""

from __future__ import annotations

from semi_supervised import compare, tell_gain

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
    """The modern network against the paper's."""
    found = compare(__doc__ or "", ARMS, epochs=20)
    tell_gain(found, "mean_ap_50", "mean AP at IoU 0.5 of climate_modern", "climate_15pf")


if __name__ == "__main__":
    main()

"""Measure whether frames without labels help: the reconstruction branch, a tenth of the labels.

    python benchmarks/semi_supervised.py [--folder DIR] [--seeds 1 2 3] [--epochs 30]

The frames are those of `detectors/comparison.py`, of which 24 keep their labels. `climate_15pf`,
narrow and with 3 x 3 kernels so that a laptop can do it, learns with the branch (`semi`) and
without (`supervised`).
"""

from __future__ import annotations

from detectors.comparison import Comparison

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

if __name__ == "__main__":
    Comparison(
        ARMS,
        epochs=30,
        metric="mean_ap_10",
        name="mean AP at IoU 0.1 with a tenth of the labels, with reconstruction",
        alternative="supervised only",
    ).main(__doc__ or "")

"""Measure what helps with a tenth of the labels: stratified batches, mirroring, reconstruction.

    python benchmarks/semi_supervised.py [--folder DIR] [--seeds 1 2 3] [--steps 900]

The frames are those of `detectors/comparison.py`, of which 24 keep their labels. `climate_15pf`,
narrow and with 3 x 3 kernels so that a laptop can do it, learns for the same steps of 8 frames:

* `supervised`: without the reconstruction branch;
* `stratified`: the same, with 4 labelled frames in every batch instead of 0.8 on average;
* `mirrored`: stratified, with half of the frames mirrored at the equator;
* `inputs` and `anomalies`: stratified, with the branch that rebuilds the inputs (weight 10, as
  reported) or their departures from the mean map (weight 1, of the size of the inputs' term).
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
SUPERVISED = (*NETWORK, "model.reconstruction=false")
STRATIFIED = "data.stratify={1:4}"
REBUILT = (*NETWORK, STRATIFIED, "model.reconstruction=true")
ARMS = {
    "supervised": SUPERVISED,
    "stratified": (*SUPERVISED, STRATIFIED),
    "mirrored": (*SUPERVISED, STRATIFIED, "dataset.mirror=true"),
    "inputs": (*REBUILT, "loss.reconstruction=10"),
    "anomalies": (*REBUILT, "loss.reconstruction=1", "dataset.anomalies=all"),
}

if __name__ == "__main__":
    Comparison(
        ARMS,
        unit="steps",
        length=900,
        metric="mean_ap_10",
        name="mean AP at IoU 0.1 with a tenth of the labels",
        pairs=[
            ("supervised", "stratified"),
            *(("stratified", arm) for arm in ("mirrored", "inputs", "anomalies")),
        ],
    ).main(__doc__ or "")

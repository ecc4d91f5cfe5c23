"""A run that is killed at random points ends with the same weights, to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "killed_again_and_again.py"
SEED = 1708
BARYON = Path(sys.executable).parent / "baryon"


@pytest.mark.parametrize(
    ("kills", "steps"), [(6, 60), pytest.param(20, 180, marks=pytest.mark.extended)]
)
def test_random_kills_change_no_bit(hep_files, environment, tmp_path, kills, steps):
    overrides = [
        *hep_files,
        "train.epochs=200",
        f"train.steps={steps}",
        "train.checkpoint_every_steps=3",
        "model.filters=2",
        "model.dropout=0.3",
        "dataset.augment=true",
        "train.validate_every_epochs=5",
    ]
    command = [sys.executable, str(SCRIPT), str(SEED), str(kills), *overrides]
    settings = {"cwd": tmp_path, "env": environment, "text": True, "capture_output": True}
    done = subprocess.run(command, check=False, **settings)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    met = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))
    assert sum(met.values()) == kills
    assert met["SIGKILL"] > kills // 4
    whole = subprocess.run([BARYON, "train", *overrides, "run.name=whole"], check=True, **settings)
    assert whole.returncode == 0
    for name in ("last.pt", "best.pt"):
        killed, one = (
            torch.load(tmp_path / "runs" / run / "checkpoints" / name, weights_only=True)
            for run in ("killed", "whole")
        )
        assert killed["step"] == one["step"]
        assert all(torch.equal(killed["model"][key], one["model"][key]) for key in one["model"])
    lines = (tmp_path / "runs/killed/metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    trained = [record["step"] for record in records if record["kind"] == "train"]
    assert trained == list(range(1, steps + 1))
    meters = records[-1] if records[-1]["kind"] == "meters" else records[-2]
    assert meters["lost_seconds"] > 0
    assert 0 < meters["goodput"] < 1
    left = os.listdir(tmp_path / "runs/killed/checkpoints")  # noqa: PTH208
    assert not [name for name in left if name.startswith(".")]

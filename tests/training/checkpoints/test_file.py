import os
import resource
import subprocess
import sys

import pytest
import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.training.checkpoints import file as checkpoint
from baryon.training.checkpoints.weights import put_weights


def test_tensors_and_numbers_come_back(tmp_path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"model": {"w": torch.arange(3.0)}, "step": 7, "best": float("inf")})
    state = checkpoint.load(path)
    assert state["model"]["w"].tolist() == [0, 1, 2]
    assert (state["step"], state["best"]) == (7, float("inf"))
    assert os.listdir(tmp_path) == ["last.pt"]  # noqa: PTH208


def test_missing(tmp_path):
    with pytest.raises(BaryonError, match=r"last\.pt does not exist: the run was stopped before"):
        checkpoint.load(tmp_path / "last.pt")


@pytest.mark.parametrize("keep", [0, 100, -50])
def test_damaged(tmp_path, keep):
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"model": {"w": torch.arange(300.0)}})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BaryonError, match=r"last\.pt is no readable checkpoint"):
        checkpoint.load(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    torch.save({"model": Trap()}, tmp_path / "last.pt")
    with pytest.raises(BaryonError, match="is no readable checkpoint"):
        checkpoint.load(tmp_path / "last.pt")
    assert not (tmp_path / "trapped").exists()


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"model": nn.Linear(2, 3).state_dict()})
    with pytest.raises(
        BaryonError, match=r"does not fit the model of this config: .*size mismatch"
    ):
        put_weights(nn.Linear(2, 4), checkpoint.load(path), path)


def test_without_room_the_old_one_stays(tmp_path):
    """A limit on file size stands for a full disk: the kernel refuses the write as it goes on."""
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})
    code = f"""
import torch
from pathlib import Path
from baryon.errors import BaryonError
from baryon.training.checkpoints import file as checkpoint
from baryon.training.checkpoints.weights import put_weights
try:
    checkpoint.save(Path({str(path)!r}), {{"model": torch.zeros(10**6), "step": 2}})
except BaryonError as error:
    print(error)
"""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, preexec_fn=limit
    )
    assert done.stdout.startswith(f"cannot write {path}: File too large; make room")
    assert done.stdout.count("\n") == 1
    assert checkpoint.load(path)["step"] == 1
    assert os.listdir(tmp_path) == ["last.pt"]  # noqa: PTH208

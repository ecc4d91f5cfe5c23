"""Checkpoints with a right checksum and other content: one line that names the file and the key."""

import hashlib
import io
import os
import zipfile

import pytest
import torch
from checkpoint_states import progress, weights

from baryon.errors import BaryonError
from baryon.training.checkpoints import file, shards
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.identity import require_same_config
from baryon.training.checkpoints.schema import read_progress, read_weights, require_optimizer

ABSENT = object()


def changed(path, value):
    """A state with another value at a dotted path."""
    state = progress()
    *parents, last = path.split(".")
    place = state
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    last = int(last) if isinstance(place, list) else last
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return state


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_baryon_writes_is_read(tmp_path):
    file.save(tmp_path / "last.pt", progress())
    assert read_progress(tmp_path / "last.pt")["step"] == 3
    file.save(tmp_path / "best.pt", weights())
    assert read_weights(tmp_path / "best.pt")["step"] == 3
    with pytest.raises(BaryonError, match=r"best\.pt holds weights, as best\.pt does"):
        read_progress(tmp_path / "best.pt")


CHANGES = [
    *((key, ABSENT, key) for key in progress() if key not in ("step",)),
    ("step", ABSENT, "step"),
    *((key, "x", key) for key in progress()),
    *((key, [1], key) for key in progress() if key != "workers"),
    ("step", True + 2**70, "step"),
    ("step", -5, "step is -5"),
    ("step", 2**60, "step is "),
    ("step", 4, "ledger.step is 3, but step is 4"),
    ("execution.precision", "fp13", "precision"),
    ("execution.more", 1, "more"),
    ("model.weight", "x", "weight"),
    ("model", {1: torch.zeros(2)}, "model"),
    (
        "model.weight",
        torch.sparse_coo_tensor([[0]], [1.0], (3,), check_invariants=True),
        "model.weight is no plain tensor",
    ),
    (
        "model.weight",
        torch.zeros(1).expand(2**40),
        r"model.weight has the shape \(1099511627776,\)",
    ),
    ("extra", 1, "extra"),
    ("identity", {"choices": {}}, "identity"),
    ("identity.choices.model", 3, "choices"),
    ("best", float("nan"), "best is no number"),
    ("meters.seconds", float("nan"), "meters holds a number"),
    ("meters.phases.forward", -1.0, "meters holds a number"),
    ("meters.operations.per_sample", "many", "per_sample"),
    ("meters.rates", {}, "rates"),
    ("ledger.basis", {}, "basis"),
    ("ledger.basis.window", -1, "below 0"),
    ("ledger.step", "a", "ledger"),
    ("ledger.workers", [[1]], r"ledger.workers\[0\] is not three numbers"),
    ("ledger.workers", [[0, 10**6, 10**6]], r"1000000 groups of 1000000"),
    ("ledger.workers", [[0, 0, 1]], r"0 groups of 1"),
    ("workers", [], "workers are 0"),
    ("workers", [1], "workers"),
    ("workers.0.random.cpu", torch.zeros(7), r"workers\[0\].random.cpu is no state"),
    ("workers.0.running_loss.sums.a", torch.zeros(2), "running_loss.sums are no single numbers"),
    ("workers.0.running_loss.samples", -1, "counts below 0"),
    ("config.seed", torch.zeros(3), "config.seed is Tensor, no plain value"),
    ("config.train", {"x": [1, {"y": torch.zeros(0)}]}, r"config.train.x\[1\].y is Tensor"),
    ("config", deep(30), "nested deeper than 16"),
    ("best", deep(200), "nested deeper than 16"),
]


@pytest.mark.parametrize(("key", "value", "says"), CHANGES)
def test_a_value_that_cannot_be_is_named(tmp_path, key, value, says):
    path = tmp_path / "last.pt"
    file.save(path, changed(key, value))
    with pytest.raises(DamagedError, match=says) as refused:
        read_progress(path)
    line = str(refused.value)
    assert line.startswith(f"{path} is no readable checkpoint (")
    assert len(line.splitlines()) == 1
    assert len(line) < 600


@pytest.mark.parametrize("value", [[1, 2], 3, torch.zeros(3), None, "text"])
def test_a_checkpoint_that_is_no_mapping(tmp_path, value):
    body = io.BytesIO()
    torch.save(value, body)
    (tmp_path / "last.pt").write_bytes(sealed(body.getvalue()[:-2]))
    with pytest.raises(DamagedError, match="is no readable checkpoint"):
        read_weights(tmp_path / "last.pt")


def sealed(body):
    """With the checksum that Baryon would give it."""
    return (
        body + (71).to_bytes(2, "little") + b"sha256:" + hashlib.sha256(body).hexdigest().encode()
    )


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    """A file of some megabytes may hold gigabytes of zeros."""
    whole, packed = io.BytesIO(), io.BytesIO()
    torch.save(progress(), whole)
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    (tmp_path / "last.pt").write_bytes(sealed(packed.getvalue()[:-2]))
    with pytest.raises(DamagedError, match="it is compressed, as Baryon's are not"):
        read_weights(tmp_path / "last.pt")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["../../secret.pt"], "its parts have other names"),
        (["/etc/passwd"], "its parts have other names"),
        (["last.pt"], "its parts have other names"),
        ([5], "its parts have other names"),
        ("abc", "its parts have other names"),
        (["gone.shard-1-of-1.pt"], r"its part .*gone\.shard-1-of-1\.pt is missing"),
    ],
)
def test_parts_lie_beside_their_checkpoint(tmp_path, names, says):
    file.save(tmp_path / "last.pt", {**progress(), shards.SHARDS: names})
    with pytest.raises(DamagedError, match=says):
        read_weights(tmp_path / "last.pt")


@pytest.mark.parametrize(
    "place",
    [{"in_shard": 7, "key": "0"}, {"in_shard": 0, "key": "9"}, {"in_shard": "x", "key": "0"}],
)
def test_parts_that_do_not_hold_what_they_should(tmp_path, place):
    file.save(tmp_path / "a.shard-1-of-1.pt", {"0": torch.zeros(2)})
    state = {**weights(), "model": {"weight": place}, shards.SHARDS: ["a.shard-1-of-1.pt"]}
    file.save(tmp_path / "last.pt", state)
    with pytest.raises(DamagedError, match="its parts do not fit"):
        read_weights(tmp_path / "last.pt")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("optimizer", ABSENT, "communicator.optimizer"),
        ("optimizer.weight", ABSENT, "communicator.optimizer.weight is missing"),
        ("optimizer.weight.exp_avg", ABSENT, "weight holds step, exp_avg_sq, and not exp_avg"),
        ("optimizer.weight.exp_avg", torch.zeros(3), r"weight.exp_avg has the shape \(3,\)"),
        ("optimizer.weight.exp_avg", torch.zeros(2, 3, dtype=torch.int64), "no tensor of real"),
        ("optimizer.bias.step", ABSENT, "optimizer.bias.step is no single number"),
        ("optimizer.bias.step", None, "optimizer.bias.step is no single number"),
        ("optimizer.bias.step", torch.zeros(4), "optimizer.bias.step is no single number"),
        ("optimizer.bias", "x", "bias"),
        ("outer", {"weight": torch.zeros(5)}, r"communicator.outer.weight has the shape \(5,\)"),
    ],
)  # fmt: skip
def test_the_state_of_an_optimizer_fits_the_parameters(tmp_path, key, value, says):
    state = changed(f"communicator.{key}", value)
    with pytest.raises(DamagedError, match=says):
        require_optimizer(
            tmp_path / "last.pt", state["communicator"], state["model"], ("exp_avg", "exp_avg_sq")
        )


def test_an_optimizer_that_has_not_begun_is_right(tmp_path):
    state = progress()
    nothing = {"optimizer": {name: {} for name in state["model"]}}
    require_optimizer(tmp_path / "last.pt", nothing, state["model"], ("exp_avg", "exp_avg_sq"))


def test_a_config_that_was_changed_is_named(tmp_path):
    then = {
        "seed": 1,
        "train": {"learning_rate": 1e-3, "momentum": 0.9},
        "comm": {"name": "serial"},
    }
    path = tmp_path / "last.pt"
    require_same_config(path, then, {**then, "comm": {"name": "sync", "groups": 1}})
    require_same_config(path, then, {**then, "data": {"stage": "near", "stage_mib": 5.0}})
    now = {**then, "train": {"learning_rate": 0.9, "momentum": 0.9}}
    with pytest.raises(
        BaryonError, match=r"written with train\.learning_rate=0\.001, here it is 0\.9: put"
    ):
        require_same_config(path, then, now)
    now["seed"] = 2
    with pytest.raises(BaryonError, match=r"with seed=1, here it is 2 \(and 1 keys more\)"):
        require_same_config(path, then, now)


def test_a_pipe_or_a_folder_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "last.pt")  # reading it would wait for ever
    with pytest.raises(BaryonError, match=r"last\.pt does not exist"):
        read_weights(tmp_path / "last.pt")

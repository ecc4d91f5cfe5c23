"""The checkpoints of a run: which are kept, large ones, damaged ones, and what saving costs."""

import os
import re
import threading
import time

import pytest
import torch
from checkpoint_states import progress
from torch import nn

from baryon.errors import BaryonError
from baryon.training.checkpoints import file, shards
from baryon.training.checkpoints.folder import Folder, load_last
from baryon.training.checkpoints.identity import require_same
from baryon.training.checkpoints.names import BEST, LAST, steps
from baryon.training.checkpoints.saver import Saver


def state(step):
    return progress(step, {"w": torch.full((300,), float(step))})


def names(folder):
    return sorted(os.listdir(folder))  # noqa: PTH208


def never(place):
    return False


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    folder = Folder(tmp_path, keep=2, shard_gib=1.0)
    for step in (3, 6, 9):
        folder.write(LAST, step, state(step))
    folder.write(BEST, 6, state(6))
    assert names(tmp_path) == [BEST, LAST, "step-00000006.pt", "step-00000009.pt"]
    found, path = load_last(tmp_path)
    assert (found["step"], path) == (9, tmp_path / LAST)
    assert (tmp_path / LAST).samefile(tmp_path / "step-00000009.pt")  # one file, two names
    assert torch.load(tmp_path / LAST, weights_only=True)["step"] == 9  # PyTorch's own reader


@pytest.mark.parametrize("damage", ["cut off", "flipped", "empty", "replaced"])
def test_a_damaged_one_is_named_and_the_one_before_is_taken(tmp_path, capsys, damage):
    folder = Folder(tmp_path, keep=2, shard_gib=1.0)
    folder.write(LAST, 3, state(3))
    folder.write(LAST, 6, state(6))
    path = tmp_path / LAST
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    texts = {"cut off": whole[:-100], "flipped": flipped, "empty": b"", "replaced": b"x" * 5000}
    path.write_bytes(texts[damage])
    found, _ = load_last(tmp_path)
    assert found["step"] == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "last.pt is no readable checkpoint (" in said
    assert "going on from" in said
    assert "step-00000003.pt, step 3" in said
    (tmp_path / "step-00000003.pt").write_bytes(b"")
    with pytest.raises(BaryonError, match=r"last\.pt is no readable checkpoint"):
        load_last(tmp_path)


def test_every_byte_counts(tmp_path):
    """Any byte that is flipped, and any that is missing at the end, is noticed."""
    path = tmp_path / LAST
    file.save(path, {"w": torch.arange(6.0), "step": 1})
    whole = path.read_bytes()
    for n in range(0, len(whole), 7):
        spoilt = bytearray(whole)
        spoilt[n] ^= 0x10
        path.write_bytes(spoilt)
        with pytest.raises(file.DamagedError):
            file.load(path)
    for n in range(1, len(whole), 97):
        path.write_bytes(whole[:-n])
        with pytest.raises(file.DamagedError):
            file.load(path)


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".last.pt.a1b2c3").write_bytes(b"half")
    Folder(tmp_path, keep=2, shard_gib=1.0)
    assert names(tmp_path) == []


def test_files_of_other_names_stay_and_are_not_taken_for_checkpoints(tmp_path):
    of_user = (
        "step-00000003-before-the-fix.pt", "step-notes.pt", "best-of-all.shard-1-of-1.pt",
        ".last.pt.swp", ".mine.pt.0123abcd",
    )  # fmt: skip
    for name in of_user:
        (tmp_path / name).write_text("the user's")
    folder = Folder(tmp_path, keep=1, shard_gib=1.0)
    for step in (3, 6):
        folder.write(LAST, step, state(step))
    folder.write(BEST, 6, state(6))
    assert names(tmp_path) == sorted([*of_user, LAST, BEST, "step-00000006.pt"])
    assert [path.name for path in steps(tmp_path)] == ["step-00000006.pt"]


def test_a_large_one_is_several_files(tmp_path):
    small = 2000 / 2**30
    folder = Folder(tmp_path, keep=1, shard_gib=small)
    big = {"model": {f"w{n}": torch.full((300,), float(n)) for n in range(4)}, "step": 3}
    folder.write(LAST, 3, big)
    components = [f"step-00000003.shard-{n}-of-4.pt" for n in range(1, 5)]
    assert names(tmp_path) == sorted([LAST, "step-00000003.pt", *components])
    found = shards.load(tmp_path / LAST)
    assert all(torch.equal(found["model"][f"w{n}"], big["model"][f"w{n}"]) for n in range(4))
    folder.write(LAST, 6, big | {"step": 6})
    folder.write(BEST, 6, big)
    folder.write(BEST, 9, big)
    left = names(tmp_path)
    assert not [name for name in left if "step-00000003" in name or "best-00000006" in name]
    assert len([name for name in left if ".shard-" in name]) == 8
    (tmp_path / "step-00000006.shard-2-of-4.pt").unlink()
    with pytest.raises(BaryonError, match=r"last\.pt is no whole .*shard-2-of-4\.pt is missing"):
        shards.load(tmp_path / LAST)


def test_one_that_lost_a_part_is_passed_over(tmp_path, capsys):
    folder = Folder(tmp_path, keep=2, shard_gib=1000 / 2**30)
    big = {f"w{n}": torch.full((300,), float(n)) for n in range(2)}
    for step in (3, 6):
        folder.write(LAST, step, progress(step, big))
    next(tmp_path.glob("step-00000006.shard-1-of-*.pt")).unlink()
    found, path = load_last(tmp_path)
    assert (found["step"], path) == (3, tmp_path / "step-00000003.pt")
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"shard-1-of-\d+\.pt is missing\): going on from", said)


def test_the_first_one_counts_before_it_has_its_second_name(tmp_path):
    Folder(tmp_path, keep=2, shard_gib=1.0).write(LAST, 3, state(3))
    (tmp_path / LAST).unlink()  # as if the process was killed in between
    assert load_last(tmp_path)[1] == tmp_path / "step-00000003.pt"
    (tmp_path / "step-00000003.pt").unlink()
    with pytest.raises(BaryonError, match="the run was stopped before its first checkpoint"):
        load_last(tmp_path)


def test_a_missing_file_system_link_is_a_copy(tmp_path, monkeypatch):
    def refuses(self, target):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuses)
    folder = Folder(tmp_path, keep=1, shard_gib=1.0)
    folder.write(LAST, 3, state(3))
    assert load_last(tmp_path)[0]["step"] == 3
    assert [path.name for path in steps(tmp_path)] == ["step-00000003.pt"]


def test_saved_is_what_there_was_when_it_was_asked_for(tmp_path):
    saver, folder = Saver(), Folder(tmp_path, keep=1, shard_gib=1.0)
    model = nn.Sequential(nn.Linear(50, 50), nn.BatchNorm1d(50)).to(torch.float32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    buffers = {("model", name) for name, _ in model.named_buffers()}
    saver.save(
        folder.write, LAST, 1, {"model": model.state_dict(), "step": 1}, buffers.__contains__
    )
    model[1].running_mean.add_(1)  # forward may
    saver.wait_for_copies()
    with torch.no_grad():
        model[0].weight.add_(1)  # the next step may
    saver.finish()
    found = shards.load(tmp_path / LAST)["model"]
    assert all(torch.equal(found[name], before[name]) for name in before)


def test_memory_formats_and_types_are_kept(tmp_path):
    saver, folder = Saver(), Folder(tmp_path, keep=1, shard_gib=1.0)
    tensors = {
        "last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half": torch.rand(5).to(torch.bfloat16),
        "number": torch.tensor(3),
        "view": torch.rand(10)[::2],
    }
    saver.save(folder.write, LAST, 1, {"model": tensors, "step": 1}, never)
    saver.finish()
    found = shards.load(tmp_path / LAST)["model"]
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert found["last"].stride() == tensors["last"].stride()


def test_the_step_does_not_wait_for_the_disk():
    written, disk = [], threading.Event()

    def slow(name, step, state):
        disk.wait(10)
        written.append(step)

    saver = Saver()
    started = time.perf_counter()
    saver.save(slow, LAST, 1, {"w": torch.ones(10)}, never)
    saver.wait_for_copies()
    saver.check()
    assert time.perf_counter() - started < 5
    assert written == []
    disk.set()
    saver.save(slow, LAST, 2, {"w": torch.ones(10)}, never)  # waits for the one before it
    assert written[0] == 1
    saver.finish()
    assert written == [1, 2]


def test_an_error_of_the_disk_is_raised_where_the_run_goes_on():
    def full(name, step, state):
        raise BaryonError("cannot write last.pt: No space left on device")

    saver = Saver()
    saver.save(full, LAST, 1, {"w": torch.ones(10)}, never)
    with pytest.raises(BaryonError, match="No space left"):
        saver.finish()


HERE = {"baryon": "0.1", "choices": {"model": "cnn"}, "plugins": {"hep": "baryon 0.1"}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"choices": {"model": "mlp"}}, "was written with model 'mlp', this run has model 'cnn'"),
        ({"plugins": {"hep": "baryon 0.0"}}, "with plugin 'hep' baryon 0.0, here is baryon 0.1"),
        ({"baryon": "0.0"}, "with baryon 0.0, here is 0.1: install that version, or go on with"),
    ],
)
def test_a_checkpoint_of_another_model_or_version(tmp_path, changes, says):
    with pytest.raises(BaryonError, match=says):
        require_same(tmp_path, HERE | changes, HERE, any_version=False)
    require_same(tmp_path, HERE, HERE, any_version=False)
    if "choices" not in changes:
        require_same(tmp_path, HERE | changes, HERE, any_version=True)


@pytest.mark.gpu
def test_on_the_gpu_a_copy_stands_in_the_queue_before_the_next_step(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    saver, folder = Saver(), Folder(tmp_path, keep=1, shard_gib=1.0)
    weights = torch.zeros(2**24, device="cuda")
    saver.save(folder.write, LAST, 1, {"model": {"w": weights}, "step": 1}, never)
    saver.wait_for_copies()
    weights.add_(1)
    saver.finish()
    assert load_last(tmp_path)[0]["model"]["w"].sum() == 0

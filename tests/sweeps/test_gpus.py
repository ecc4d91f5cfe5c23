"""GPUs that are not there are shared out among jobs that are."""

from contextlib import ExitStack

import pytest

from baryon.sweeps import gpus


@pytest.mark.parametrize(
    ("count", "ranks", "at_once", "expected"),
    [
        (4, 1, 4, ["0", "1", "2", "3"]),
        (4, 1, 2, ["0", "1"]),
        (4, 2, 2, ["0,1", "2,3"]),
        (4, 8, 2, ["0,1", "2,3"]),
        (5, 2, 3, ["0", "1", "2"]),
        (2, 1, 5, ["0", "1", "0", "1", "0"]),
        (2, 3, 2, ["0", "1"]),
    ],
)
def test_portions(count, ranks, at_once, expected):
    found = gpus.portions([str(number) for number in range(count)], ranks, at_once)
    assert [",".join(names) for names in found] == expected


def test_gpus_are_counted_by_what_cuda_is_told_or_by_the_drivers_files(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    assert gpus.visible({}) == []
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert gpus.visible({}) == ["0", "1"]
    assert gpus.visible({"CUDA_VISIBLE_DEVICES": "3, GPU-8a"}) == ["3", "GPU-8a"]
    assert gpus.visible({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_a_portion_is_free_again_when_its_job_has_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with ExitStack() as first:
        assert first.enter_context(gpus.reserved(tmp_path, 1, 2)) == {"CUDA_VISIBLE_DEVICES": "5"}
        with gpus.reserved(tmp_path, 1, 2) as second:
            assert second == {"CUDA_VISIBLE_DEVICES": "7"}
            first.close()
            with gpus.reserved(tmp_path, 1, 2) as third:
                assert third == {"CUDA_VISIBLE_DEVICES": "5"}


def test_there_is_nothing_to_share_out_for_one_job_or_of_one_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with gpus.reserved(tmp_path, 2, 1) as alone:
        assert alone == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with gpus.reserved(tmp_path, 1, 2) as only:
        assert only == {}

"""A run that was killed before its first checkpoint starts from its beginning."""

import shutil
from pathlib import Path

import pytest
import torch

from baryon.cli import main
from baryon.runs import provenance
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.training.checkpoints.names import has_checkpoint
from baryon.training.run_lock import RunLock


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # those of the run that is copied
    yield
    torch.set_num_threads(before)


@pytest.fixture
def killed(short_run, tmp_path, monkeypatch, cache) -> RunDirectory:
    """What `kill -9` in its second step leaves of a run that has had no checkpoint."""
    shutil.copytree(short_run.parents[1], tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.chdir(tmp_path)
    run = RunDirectory(Path("runs/short"))
    for path in (run.metrics, run.evaluation, run.report, *run.checkpoints.iterdir()):
        path.unlink()
    lines = run.log.read_text().splitlines(keepends=True)
    run.log.write_text("".join(lines[:2]))
    return run


def test_resume_starts_it_and_ends_with_the_same_weights(killed, short_run, capsys):
    first_lines = killed.log.read_text()
    first = provenance.read(killed)
    assert main(["resume", "run=runs/short"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "was stopped before its first checkpoint: it starts from the beginning" in said
    then, now = (
        torch.load(path / "checkpoints" / "last.pt", weights_only=True)["model"]
        for path in (short_run, killed.path)
    )
    assert all(torch.equal(then[name], now[name]) for name in then)
    steps = [line["step"] for line in MetricsLog(killed.log).read() if line["kind"] == "train"]
    assert steps == [1, 2, 3]
    assert killed.log_aside.read_text() == first_lines
    again = provenance.read(killed)
    assert (again.command, again.started, again.git) == (first.command, first.started, first.git)
    assert len(again.resumed) == 1
    assert again.process != first.process


def test_best_weights_alone_are_no_checkpoint(killed):
    assert not has_checkpoint(killed.checkpoints)
    (killed.checkpoints / "best.pt").touch()
    assert not has_checkpoint(killed.checkpoints)
    (killed.checkpoints / "step-00000001.pt").touch()
    assert has_checkpoint(killed.checkpoints)


def test_it_is_refused_while_another_process_trains_it(killed, capsys):
    lock = RunLock()
    lock.acquire(killed.path)
    assert main(["resume", "run=runs/short"]) == 1
    assert "is being trained by process" in capsys.readouterr().err
    lock.close()
    assert MetricsLog(killed.log).read()

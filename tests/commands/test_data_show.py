"""`baryon data show`: the samples of a step."""

import os
import shutil
import subprocess

import h5py
import pytest

from baryon.cli import execute
from baryon.errors import BaryonError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory, write_events):
    folder = tmp_path_factory.mktemp("events")
    return {name: write_events(folder / f"{name}.h5", 48) for name in ("train", "val")}


@pytest.fixture(scope="module")
def run(tmp_path_factory, files, hep_files, cache, forked):
    """Two steps of sixteen."""
    folder = tmp_path_factory.mktemp("shown")
    given = [f"dataset.{name}={path}" for name, path in files.items()]
    train = (forked.baryon, "train")
    subprocess.run(
        [*train, *hep_files, *given, "dataset.test=null", "train.steps=2", "run.name=it"],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return folder / "runs" / "it"


def rows(done):
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_samples_of_steps_with_file_and_label(baryon, files, run):
    with h5py.File(files["train"]) as file:
        labels = file["label"][:]
    last = baryon("data", "show", f"run={run}")
    assert last.stdout.startswith(f"step 2 of {run}: batch 2 of epoch 1")
    seen = []
    for done in (baryon("data", "show", f"run={run}", "step=1"), last):
        for worker, row, where, label, *_ in rows(done):
            assert worker == "0"
            assert where == f"{files['train']}, row {row}"
            assert int(label) == labels[int(row)]
            seen.append(int(row))
    assert len(set(seen)) == 32


def error_line(done):
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_a_run_is_not_resumed_on_data_that_changed(baryon, files, run, tmp_path):
    cut = tmp_path / "cut"
    shutil.copytree(run, cut)
    (cut / "metrics.json").unlink()  # as if it had been killed
    times = files["val"].stat()
    os.utime(files["val"], ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    try:
        line = error_line(baryon("resume", f"run={cut}"))
        assert "dataset.val changed since the checkpoint" in line
        assert "put the old files back, or start a new run" in line
    finally:
        os.utime(files["val"], ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "run=nowhere is not a run folder"),
        (["step=3"], "give run=<dir>"),
        (["run={run}", "step=0"], "step=0 must be a whole number from 1 to "),
        (["run={run}", "seed=3"], "data show takes no 'seed='; did you mean 'step='? choose"),
    ],
)
def test_wrong_arguments(run, arguments, message):
    with pytest.raises(BaryonError) as raised:
        execute(["data", "show", *(argument.format(run=run) for argument in arguments)])
    assert message in str(raised.value)

"""A trained run, and files without labels."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from baryon.cli import execute


@pytest.fixture(scope="session")
def run(hep_files, tmp_path_factory, cache) -> Path:
    """The folder of a run of two steps."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        execute(["train", *hep_files, "train.steps=2", f"run.root={root}", "run.name=run"])
    return root / "run"


@pytest.fixture(scope="session")
def unlabelled(write_events, tmp_path_factory) -> list[Path]:
    """Two files of 70 and 33 events: images and event numbers, nothing else."""
    folder = tmp_path_factory.mktemp("unlabelled")
    nothing = dict.fromkeys(("label", "weight", "normweight", "psr"))
    return [
        write_events(
            folder / f"{n}.h5", n, seed=n, eid=np.arange(n, dtype="i8") + 1000 * n, **nothing
        )
        for n in (70, 33)
    ]


@pytest.fixture(scope="session")
def images(unlabelled):
    """All their images, as they are stored."""
    found = []
    for path in unlabelled:
        with h5py.File(path) as file:
            assert set(file) == {"data", "eid"}
            found.append(file["data"][:])
    return np.concatenate(found)


@pytest.fixture(scope="session")
def predicted(run, unlabelled) -> Path:
    """The folder that is written of both files."""
    files = ",".join(map(str, unlabelled))
    assert execute(["predict", f"run={run}", f"input={files}", f"out={run.parent / 'scores'}"]) == 0
    return run.parent / "scores"


@pytest.fixture
def here(tmp_path, monkeypatch, cache):
    """The command in this process runs in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return tmp_path

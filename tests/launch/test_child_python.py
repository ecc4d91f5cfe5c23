"""Processes that Baryon starts import nothing of the working directory."""

import shutil

import pytest

NAMES = ("pluggy", "queue", "random", "selectors", "socket", "yaml")


@pytest.fixture
def trapped_folder(tmp_path):
    """A working directory whose files are named like modules of the libraries."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py was imported')\n")
    return tmp_path


def test_launched_processes_import_nothing_of_the_working_directory(baryon, trapped_folder):
    done = baryon("launch", "ranks=2", "plugins")
    assert done.returncode == 0, done.stderr
    assert "was imported" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.extended
def test_jobs_of_a_sweep_import_nothing_of_the_working_directory(baryon, trapped_folder, hep_files):
    done = baryon("train", "-m", *hep_files, "train.steps=1", "seed=1,1", "launch=cores")
    assert done.returncode == 0, done.stderr
    said = "".join(path.read_text() for path in trapped_folder.glob("runs/sweep-*/*/*.txt"))
    assert "steps 1 to 1" in said
    assert "was imported" not in done.stdout + done.stderr + said


@pytest.mark.slow
def test_a_run_made_again_imports_nothing_of_the_working_directory(
    baryon, trapped_folder, short_run
):
    for name in ("train.h5", "runs"):
        source = short_run.parents[1] / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, trapped_folder / name)
    done = baryon("reproduce", "run=runs/short")
    assert "was imported" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def test_generation_by_processes_imports_nothing_of_the_working_directory(baryon, trapped_folder):
    arguments = ("generate.out=frames", "generate.years=1979", "generate.frames=2")
    small = ("generate.height=48", "generate.workers=2")
    done = baryon("data", "generate", "dataset=climate_extreme_weather", *arguments, *small)
    assert done.returncode == 0, done.stderr
    assert (trapped_folder / "frames" / "climo_1979.h5").is_file()

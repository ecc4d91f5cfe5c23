"""What cannot work is said in one line, once, and ends the whole job."""

import subprocess
import sys
from pathlib import Path

import pytest

from baryon.launch.mpiexec import launch_command, launch_environment

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

BARYON = Path(sys.executable).parent / "baryon"


def only_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that is ours; MPI adds its own when it ends the job."""
    assert done.returncode
    lines = [line for line in done.stderr.splitlines() if line.startswith("baryon: error")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comm=hybrid", "comm.groups=2"], "2 groups and 1 servers does not fit 1 processes"),
        (["comm=hybrid", "comm.servers=0"], "give comm.servers=1 or more"),
        (["comm=async", "comm.servers=0"], "give comm.servers=1 or more"),
        (["comm=async"], "does not fit 1 processes"),
        (["comm=hybrid", "comm.staleness_policy=danna"], "did you mean 'dana'?"),
        (["comm=sync", "comm.transport=tcp"], "comm.transport=tcp is not known"),
        (["comm=local_sgd", "comm.every=0"], "comm.every=0 must be above 0"),
        (["comm=hybird"], "hybrid"),
    ],
)
def test_options_that_cannot_work(baryon, hep_files, arguments, message):
    assert message in only_error(baryon("train", *hep_files, *arguments))


def test_ranks_that_do_not_fit_are_told_once(launch, hep_files):
    line = only_error(launch(2, "train", *hep_files, "comm=hybrid"))
    assert "does not fit 2 processes" in line
    assert "mpiexec -n 5" in line


def test_serial_is_one_process(launch, hep_files):
    assert "comm=serial is one process" in only_error(launch(2, "train", *hep_files))


def test_without_an_mpi_library(baryon, hep_files, environment):
    broken = environment | {"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}
    line = only_error(baryon("train", *hep_files, "comm=sync", env=broken))
    assert "no MPI: " in line
    assert "pip install 'baryon[mpi]'" in line


def test_the_launcher_of_another_mpi_library(baryon, hep_files, environment):
    started = environment | {"PMI_RANK": "0", "PMI_SIZE": "2"}
    line = only_error(baryon("train", *hep_files, "comm=sync", env=started))
    assert "two MPI libraries are mixed" in line


def test_without_mpiexec(environment, tmp_path):
    code = "import sys; sys.executable = '/nowhere/python'; from baryon.cli import main; "
    code += "sys.exit(main(['launch', 'ranks=2', 'train']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PATH": str(tmp_path)},
        text=True,
        capture_output=True,
    )
    assert "there is no mpiexec" in only_error(done)


def different(tmp_path, environment, hep_files, *changes: str, patch: str = ""):
    """Rank 0 as it is, rank 1 with other arguments, or after other code."""
    program = (
        f"import os, sys\nimport baryon\n{patch}\nfrom baryon.cli import main\nsys.exit(main())"
    )
    arguments = ["train", *hep_files, "comm=sync"]
    first = launch_command(1, [str(BARYON), *arguments])
    second = ["-n", "1", sys.executable, "-c", program, *arguments, *changes]
    return subprocess.run(
        [*first, ":", *second],
        cwd=tmp_path,
        env=launch_environment(2) | environment,
        text=True,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("changes", "patch", "message"),
    [
        (["train.learning_rate=0.5"], "", "disagree on config: train.learning_rate 0.5, not 0.001"),
        ([], "baryon.__version__ = '9.9'", "disagree on Baryon: 9.9, not "),
        ([], "os.environ['BARYON_DISABLE'] = 'climate'", "disagree on plugins: climate None, not "),
    ],
)
def test_ranks_that_differ(tmp_path, environment, hep_files, changes, patch, message):
    line = only_error(different(tmp_path, environment, hep_files, *changes, patch=patch))
    assert "rank 1 (" in line
    assert message in line
    assert not (tmp_path / "runs").exists()


def test_ranks_with_other_data_under_the_same_name(tmp_path, environment, hep_files, write_events):
    (tmp_path / "elsewhere").mkdir()
    for seed, folder in enumerate((tmp_path, tmp_path / "elsewhere")):
        write_events(folder / "train.h5", 96, seed=seed)
    given = [part for part in hep_files if not part.startswith("dataset.train=")]
    given.append("dataset.train=train.h5")
    line = only_error(different(tmp_path, environment, given, patch="os.chdir('elsewhere')"))
    assert "rank 1 (" in line
    assert "disagree on data: train " in line


def test_a_failure_on_one_rank_ends_all(tmp_path, environment, hep_files):
    patch = (
        "import baryon.training.trainer as trainer, baryon.errors as errors\n"
        "def fail(*_): raise errors.BaryonError('the disk of this node is gone')\n"
        "trainer.Trainer.train_step = fail"
    )
    line = only_error(different(tmp_path, environment, hep_files, patch=patch))
    assert "the disk of this node is gone" in line


def test_a_file_that_one_rank_cannot_read(tmp_path, environment, hep_files):
    patch = (
        "import baryon.training.run as run\n"
        "from baryon.errors import BaryonError\n"
        "def missing(*_): raise BaryonError('train.h5 is not there')\n"
        "run.build_components = missing"
    )
    line = only_error(different(tmp_path, environment, hep_files, patch=patch))
    assert "train.h5 is not there (rank 1 on " in line

"""What is wrong with a sweep is one line, and told before any job runs where it can be known."""

import errno
import fcntl
import json
import os
import sys

import pytest

WIDTHS = "model.width=2,3"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model.widht=2,3"], "model has no key 'widht'; did you mean 'width'? choose from: "),
        (["model.width=2,many"], "model 'toy_net' (plugin 'toy'): width='many' is of the wrong ty"),
        (["train.epochs=2,many"], "train.epochs: Value 'many' of type 'str' could not be conv"),
        (["train.epochs=2,0"], "train.epochs=0 must be above 0"),
        (["model=toy_net,toy_nett"], "no option model=toy_nett; did you mean 'toy_net'? choose "),
        (["run.root=a,b"], "run.root cannot be swept: it does not decide what a job computes"),
        (["sweep.metric=a,b"], "sweep.metric cannot be swept: "),
        ([WIDTHS, "run.name=mine"], "run.name=mine names a single run: give the sweep a name by"),
        ([WIDTHS, "hydra.sweep.dir=x"], "'hydra.sweep.dir=x': settings of Hydra itself cannot be "),
        ([WIDTHS, "sweep.name=a/b"], "sweep.name='a/b' names a folder: letters, digits, "),
        ([WIDTHS, "sweep.fresh=maybe"], "sweep.fresh: Value 'maybe' is not a valid bool"),
        (
            [WIDTHS, "sweep.trials=3"],
            "sweep has no key 'trials'; choose from: direction, fail_fast, ",
        ),
        ([WIDTHS, "sweep.metric=error"], "sweep.metric=error does not say which values are bette"),
        (
            [WIDTHS, "sweep.direction=up"],
            "sweep.direction=up is not known; choose from: maximize, m",
        ),
        ([WIDTHS, "sweep=bayes"], "no option sweep=bayes; choose from: grid, optuna"),
        ([WIDTHS, "launch=cloud"], "no option launch=cloud; choose from: cores, local, lsf, pbs, "),
        ([WIDTHS, "launch.ranks=0"], "launch.ranks=0 must be above 0"),
        ([WIDTHS, "launch=slurm", "launch.nodes=2"], "launch.ranks=1 is no multiple of launch.nod"),
        ([WIDTHS, "launch=slurm", "launch.mem_gb=0"], "launch.mem_gb=0 must be above 0"),
        ([WIDTHS, "launch=slurm", "launch.max_num_timeout=-1"], "launch.max_num_timeout=-1 must b"),
        ([WIDTHS, "launch=slurm", "launch.partiton=x"], "launch has no key 'partiton'; did you m"),
        ([WIDTHS, "launch.launcher=cloud"], "launch.launcher=cloud is not known; choose from: cor"),
        ([WIDTHS, "launch=lsf", "launch.qeue=x"], "launch has no key 'qeue'; did you mean 'queue'"),
        (["train.learning_rate=interval(1,2)"], "train.learning_rate=interval(1,2): a grid needs"),
        (["sweep=optuna"], "sweep=optuna needs a range to search, as in key=interval(1e-4,1e-2)"),
        (["sweep=optuna", "model.width=interval(1.5,4.5)"], "model 'toy_net' (plugin 'toy'): widt"),
        (["sweep=optuna", "train.momentum=interval(0.5,1)"], "train.momentum=1.0 must be in [0, "),
        (
            ["sweep=optuna", "train.learning_rate=tag(log,interval(0,1))"],
            "train.learning_rate=tag(log,interval(0,1)): ",
        ),
        (["sweep=optuna", WIDTHS, "sweep.pruner=bonsai"], "sweep.pruner=bonsai is not known; ch"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_nothing_is_begun(sweep_here, error_line, tmp_path, arguments, says):
    assert error_line(sweep_here(*arguments)).startswith(says)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_that_does_not_exist_is_told_with_those_that_do(sweep_here, error_line, left):
    few = ("model.width=2,2", "train.steps=1", "sweep.direction=maximize")
    error = error_line(sweep_here(*few, "sweep.metric=eror"))
    expected = (
        "there is no metric sweep.metric=eror; did you mean 'error'? choose from: error, nothing"
    )
    assert expected + ", validation_loss; nothing is lost" in error
    assert left().states == ["finished"]
    assert "is None" in error_line(sweep_here(*few, "sweep.metric=nothing"))
    again = sweep_here(*few, "sweep.metric=error")
    assert "1 finished before and skipped" in again.stdout
    metrics = json.loads((left().path / left().jobs[0]["run"] / "metrics.json").read_text())
    assert left().jobs[0]["value"] == metrics["error"]


def test_a_search_for_a_figure_that_does_not_exist_ends_with_its_first_trial(
    sweep_here, error_line, left
):
    few = ("sweep=optuna", "model.width=range(2,5)", "train.steps=1", "dataset.val=0")
    error = error_line(sweep_here(*few))
    assert "no metric sweep.metric=validation_loss; choose from: error, nothing" in error
    assert len(left().jobs) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": "0.0.9"}, "is a sweep of baryon 0.0.9, here is "),
        ({"plugins": {"toy": "acme 0.0"}}, "is a sweep of plugin 'toy' acme 0.0, here is acme 0.1"),
        ({"jobs": [{"name": "of another time"}]}, "sweep.json cannot be read ("),
    ],
    ids=["version", "plugin", "damaged"],
)
def test_a_sweep_of_another_version_is_refused(sweep_here, error_line, tmp_path, change, says):
    folder = tmp_path / "runs" / "sweep-old"
    folder.mkdir(parents=True)
    told = {"version": "0.1.0", "plugins": {}, "jobs": []}
    (folder / "sweep.json").write_text(json.dumps(told | change))
    error = error_line(sweep_here(WIDTHS, "sweep.name=old"))
    assert says in error
    assert error.endswith("begin a new sweep by sweep.fresh=true")


def test_a_file_system_without_locks_is_refused(sweep_here, error_line, monkeypatch):
    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    error = error_line(sweep_here(WIDTHS))
    assert "cannot lock runs/sweep-" in error
    assert "No locks available; a sweep must lie on a file system with locks" in error


def test_optuna_that_is_missing_is_to_be_installed(sweep_here, error_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    error = error_line(sweep_here("sweep=optuna", WIDTHS))
    assert error.startswith("sweep=optuna needs Optuna (")
    assert error.endswith("): pip install 'baryon[sweeps]'")


def test_submitit_that_is_missing_is_to_be_installed(sweep_here, error_line, tmp_path, monkeypatch):
    (tmp_path / "sbatch").touch(mode=0o755)
    monkeypatch.setitem(sys.modules, "submitit", None)
    error = error_line(sweep_here(WIDTHS, "launch=slurm", PATH=str(tmp_path)))
    assert error == "launch=slurm needs submitit: pip install 'baryon[sweeps]'"


def test_ranks_of_a_sweep_are_started_by_the_sweep(sweep_here, error_line):
    ranks = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1000"}
    error = error_line(sweep_here(WIDTHS, **ranks))
    assert "launch.ranks=1000`, without Open MPI's mpiexec" in error


def test_a_single_run_is_not_launched_like_a_sweep(baryon, error_line):
    run = ("train", "dataset=hep_images", "model=hep_cnn", "dataset.train=x.h5", "launch.ranks=2")
    assert "add -m (in Python: baryon.sweep), or start one run" in error_line(baryon(*run))


def test_another_sweeper_is_refused(sweep_here, error_line):
    error = error_line(sweep_here(WIDTHS, "hydra/sweeper=basic"))
    assert error.startswith("'hydra/sweeper=basic': settings of Hydra itself cannot be given; ")


@pytest.mark.parametrize(
    ("launcher", "program"), [("slurm", "sbatch"), ("pbs", "qsub"), ("lsf", "bsub")]
)
def test_where_there_is_no_batch_system_nothing_is_begun(
    sweep_here, error_line, tmp_path, launcher, program
):
    error = error_line(sweep_here(WIDTHS, f"launch={launcher}", PATH=str(tmp_path)))
    assert error.startswith(f"launch={launcher} needs {program}, which is not on the PATH: ")
    assert list(tmp_path.iterdir()) == []


def test_a_template_that_is_missing_is_told_before_anything(
    sweep_here, error_line, tmp_path, batch_system
):
    site = f"launch.template={tmp_path}/site.sh.j2"
    environment = batch_system.environment
    error = error_line(sweep_here(WIDTHS, "launch=pbs", site, **environment))
    assert error.startswith(f"launch.template: {tmp_path}/site.sh.j2 cannot be used: FileNotFound")
    assert not (tmp_path / "runs").exists()

"""All folds by one command: each trained, and every sample judged by the network of its fold."""

import json
import subprocess

import pytest

from baryon.api.training import compose
from baryon.cli import main
from baryon.errors import BaryonError

pytestmark = pytest.mark.slow

FOLDS = ("train.folds=3", "train.epochs=1")


@pytest.fixture
def evaluate_sweep(toy, capfd):
    """`baryon evaluate sweep=<folder>` in the tests' own process."""

    def run(folder):
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(toy["PYTHONPATH"])
            code = main(["evaluate", f"sweep={folder}"])
        return subprocess.CompletedProcess((), code, *capfd.readouterr())

    return run


@pytest.fixture
def answers(left):
    """The answers of all folds together, by the names of their folders."""

    def read():
        paths = left().path.glob("evaluations/*/metrics.json")
        return {path.parent.name: json.loads(path.read_text()) for path in paths}

    return read


def test_one_command_trains_all_folds_and_judges_them_together(
    sweep_here, evaluate_sweep, left, answers
):
    done = sweep_here(*FOLDS)
    assert done.returncode == 0, done.stderr
    assert [job["choices"] for job in left().jobs] == [{"train.fold": n} for n in range(3)]
    runs = [left().path / job["run"] for job in left().jobs]
    of_folds = [json.loads((run / "metrics.json").read_text())["error"] for run in runs]
    sizes = [_test_samples(done.stdout, number) for number in range(3)]
    assert sum(sizes) == 64 + 32 + 32
    (answer,) = answers().values()
    mean = sum(n * error for n, error in zip(sizes, of_folds, strict=True)) / sum(sizes)
    assert answer["error"] == pytest.approx(mean, rel=1e-6)
    (folder,) = (left().path / "evaluations").iterdir()
    page = (folder / "report.html").read_text()
    assert "all folds" in page
    assert "is not known" not in page
    assert "All folds together" in (left().path / "report.html").read_text()

    again = sweep_here(*FOLDS)
    assert "evaluating" not in again.stdout
    assert f"/evaluations/{folder.name}/report.html" in _joined(again.stdout)
    assert len(answers()) == 1

    assert evaluate_sweep(left().path).returncode == 0
    assert [a["error"] for a in answers().values()] == [answer["error"]] * 2


@pytest.mark.extended
def test_each_choice_has_its_own_answer(sweep_here, answers):
    done = sweep_here(*FOLDS, "model.width=2,3")
    assert done.returncode == 0, done.stderr
    assert len(answers()) == 2
    assert "all 3 folds together (model.width=3)" in _joined(done.stdout)


def test_what_is_impossible_is_one_line(sweep_here, error_line):
    error = error_line(sweep_here("train.folds=2"))
    assert error == "train.folds=2 must be from 3 to 1000"
    error = error_line(sweep_here("train.folds=5", "train.fold=5"))
    assert error == "train.fold=5 must be from 0 to 4: there are 5"
    error = error_line(sweep_here("train.folds=3,5"))
    assert error == "train.folds cannot be swept: its runs are judged together"
    error = error_line(sweep_here("train.fold=0,1"))
    assert error == "train.fold=0 is one of several: give train.folds=<their number>"


def test_a_single_run_has_a_single_fold():
    with pytest.raises(BaryonError, match=r"train.folds=5 makes 5 runs: add -m .* train.fold=0"):
        compose(["experiment=hep_demo", "train.folds=5"])


def test_folds_that_were_not_all_trained_are_not_judged(
    sweep_here, evaluate_sweep, left, answers, error_line
):
    done = sweep_here("train.folds=3", "train.fold=0,2", "train.epochs=1")
    assert done.returncode == 0, done.stderr
    assert not answers()
    assert "fold 1 of 3 has not been trained (of all 3 folds together): give" in error_line(
        evaluate_sweep(left().path)
    )


def test_a_sweep_without_folds_has_nothing_to_judge_together(whole, evaluate_sweep, error_line):
    assert "has no folds to judge together" in error_line(evaluate_sweep(whole.path))


def _test_samples(text, number):
    """Samples that the evaluation of a job has seen, as it said."""
    evaluated = [line for line in text.splitlines() if line.startswith("evaluating: ")]
    return int(evaluated[number].split()[1])


def _joined(text):
    return " ".join(text.split())

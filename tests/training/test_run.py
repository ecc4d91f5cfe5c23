"""Whole runs on the command line: what they leave, and what happens when they are stopped."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from matplotlib import font_manager, get_cachedir

from baryon.training.stop_request import REQUEUE, StopRequest

pytestmark = pytest.mark.slow

BARYON = Path(sys.executable).parent / "baryon"


def run_directory(folder: Path) -> Path:
    return (folder / "runs" / "latest").resolve()


def weights(run: Path, name="last.pt"):
    return torch.load(run / "checkpoints" / name, weights_only=True)["model"]


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def records(run: Path):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def error_line(done) -> str:
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def finished_run(short_run, tmp_path_factory) -> Path:
    """A folder with a finished run of three steps in `runs`, and its data."""
    folder = tmp_path_factory.mktemp("finished") / "copy"
    shutil.copytree(short_run.parents[1], folder, symlinks=True)  # with times of change
    return folder


@pytest.fixture
def start(tmp_path, environment, hep_files, forked):
    """Start a long run; give the process when it has logged some steps."""

    def begin(
        *arguments: str, steps: int = 5, program: Path = forked.baryon
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [program, "train", *hep_files, "train.epochs=200", "run.name=cut", *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 200  # machines differ, and are shared
        log = tmp_path / "runs" / "cut" / "metrics.jsonl"
        while process.poll() is None and time.monotonic() < deadline:
            if log.is_file() and log.read_text().count("\n") >= steps:
                return process
            time.sleep(0.05)
        raise AssertionError(process.communicate()[1])

    return begin


def test_a_run_learns_and_leaves_all_it_promises(baryon, hep_files, tmp_path):
    done = baryon("train", *hep_files, "train.epochs=12")
    assert done.returncode == 0, done.stderr
    run = run_directory(tmp_path)
    left = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert left >= {
        "config.yaml",
        "provenance.json",
        "evaluation.json",
        "metrics.jsonl",
        "metrics.json",
        "report.html",
        "checkpoints/last.pt",
        "checkpoints/best.pt",
        "figures/roc.png",
        "figures/roc.svg",
    }
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics.keys() >= {
        "auc",
        "signal_efficiency",
        "cuts_signal_efficiency",
        "cuts_false_positive_rate",
        "efficiency_ratio",
        "efficiency_ratio_low",
    }
    assert metrics["auc"] > 0.95
    assert f"report: runs/{run.name}/report.html" in done.stdout
    train = [record for record in records(run) if record["kind"] == "train"]
    assert [record["step"] for record in train] == list(range(1, 73))
    assert train[0].keys() >= {"loss", "cross_entropy", "samples_per_second", "tflops_per_second"}
    assert [r["epoch"] for r in records(run) if r["kind"] == "validation"] == list(range(1, 13))


def test_the_seed_decides_the_weights(command, hep_files, finished_run):
    runs = finished_run / "runs"
    given = [*hep_files, "dataset.train=train.h5", "train.steps=3"]
    for name, seed in (("same", 1), ("other", 2)):
        done = command("train", *given, f"run.name={name}", f"seed={seed}", cwd=finished_run)
        assert done.returncode == 0, done.stderr
    assert same(weights(runs / "same"), weights(runs / "short"))
    assert not same(weights(runs / "other"), weights(runs / "short"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_a_checkpoint(start, tmp_path, number, code):
    process = start()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    run = run_directory(tmp_path)
    step = torch.load(run / "checkpoints" / "last.pt", weights_only=True)["step"]
    assert records(run)[-1]["kind"] == "stopped"
    assert f"stopped by {number.name} after step {step} of 1200" in out
    assert "baryon resume run=runs/cut" in out
    assert not (run / "metrics.json").exists()


END = ["train.steps=40", "train.checkpoint_every_steps=3", "model.dropout=0.3"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, hep_files, cache, forked) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(
        [forked.baryon, "train", *hep_files, "train.epochs=200", *END],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return run_directory(folder)


def test_a_resumed_run_ends_with_the_same_weights(start, baryon, uninterrupted, tmp_path):
    process = start(*END, steps=10)
    process.kill()
    process.communicate(timeout=60)
    run = tmp_path / "runs" / "cut"
    assert not (run / "metrics.json").exists()
    done = baryon("resume", f"run={run}")
    assert done.returncode == 0, done.stderr
    assert same(weights(run), weights(uninterrupted))
    assert same(weights(run, "best.pt"), weights(uninterrupted, "best.pt"))
    steps = [record["step"] for record in records(run) if record["kind"] == "train"]
    assert steps == list(range(1, 41))


def test_a_run_goes_on_once_however_often_it_is_resumed(start, baryon, environment, tmp_path):
    """While it lives, and twice at once after it was killed: two terminals, or two requeues."""
    few = ("train.steps=60", "train.checkpoint_every_steps=3")
    process = start(*few, steps=10, program=BARYON)
    process.send_signal(signal.SIGSTOP)  # or a slow machine would see it end meanwhile
    while_it_lives = error_line(baryon("resume", "run=runs/cut"))
    assert f"runs/cut is being trained by process {process.pid} on " in while_it_lives
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [BARYON, "resume", "run=runs/cut"]
    resumed = [subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) for _ in range(2)]
    said = [one.communicate(timeout=120)[1] for one in resumed]
    assert sorted(one.returncode for one in resumed) == [0, 1], said
    refused = next(text for one, text in zip(resumed, said, strict=True) if one.returncode)
    assert "is being trained by process" in refused or "has finished" in refused
    steps = [r["step"] for r in records(tmp_path / "runs" / "cut") if r["kind"] == "train"]
    assert steps == list(range(1, 61))


def test_a_finished_run_is_left_alone(command, hep_files, finished_run):
    run = run_directory(finished_run)
    before = (run / "metrics.json").read_bytes()
    again = command("train", *hep_files, f"run.name={run.name}", cwd=finished_run)
    assert f"runs/{run.name} exists already" in error_line(again)
    assert "has finished" in error_line(command("resume", "run=runs/latest", cwd=finished_run))
    assert (run / "metrics.json").read_bytes() == before


def test_evaluate_repeats_the_answer_beside_it(command, finished_run):
    run = run_directory(finished_run)
    before = (run / "metrics.json").read_bytes()
    done = command("evaluate", "run=runs/latest", cwd=finished_run)
    assert done.returncode == 0, done.stderr
    (evaluation,) = (run / "evaluations").iterdir()
    assert (evaluation / "metrics.json").read_bytes() == before
    assert (evaluation / "report.html").is_file()
    other = command("evaluate", "run=runs/latest", "split=val", "weights=last", cwd=finished_run)
    assert other.returncode == 0, other.stderr
    assert len(list((run / "evaluations").iterdir())) == 2
    assert (run / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "run=nowhere is not a run folder: it has no config.yaml"),
        (["split=test"], "give run=<dir>"),
        (["runs/latest"], "'runs/latest' is not of the form key=value"),
        (
            ["run=runs/latest", "split=other"],
            "split=other is not known; choose from: test, train, val",
        ),
        (
            ["run=runs/latest", "weights=old"],
            "weights=old is not known; choose from: best, ema, last",
        ),
        (["run=runs/latest", "model.filtrs=3"], "model has no key 'filtrs'; did you mean"),
        (["run=runs/latest", "model.filters=9"], "does not fit the model of this config"),
    ],
)
def test_wrong_arguments_of_evaluate(command, finished_run, arguments, message):
    assert message in error_line(command("evaluate", *arguments, cwd=finished_run))


def test_a_run_with_training_data_alone_says_so(command, hep_files, tmp_path):
    done = command("train", *hep_files, "train.steps=3", "dataset.val=null", "dataset.test=null")
    assert done.returncode == 0, done.stderr
    assert "evaluated on the training split itself" in done.stdout
    assert not (run_directory(tmp_path) / "checkpoints" / "best.pt").exists()
    assert command("evaluate", "run=runs/latest").returncode == 0  # with the last weights


def test_weights_that_are_no_numbers_stop_the_run(command, hep_files, tmp_path):
    done = command("train", *hep_files, "train.optimizer=sgd", "train.learning_rate=1e30")
    line = error_line(done)
    assert "error: step 2: loss term cross_entropy nan in conv2, samples " in line
    assert line.endswith("lower train.learning_rate or set train.clip_norm; nothing was saved")
    shown = command("data", "show", "run=runs/latest", "step=2")
    assert shown.returncode == 0, shown.stderr
    assert "16 samples of 1 worker" in shown.stdout
    assert "the batch that stopped a run (step-2.pt)" in shown.stdout
    assert re.search(r"first went wrong in +│ conv2 ", shown.stdout)
    assert "(16, 3, 64, 64) torch.float32" in shown.stdout


def test_samples_that_give_no_loss_are_skipped_but_not_for_ever(command, hep_files, tmp_path):
    settings = ["train.optimizer=sgd", "train.learning_rate=1e30", "train.nonfinite=skip"]
    done = command("train", *hep_files, *settings, "train.epochs=9")
    assert done.stdout.count("its samples are skipped") == 9
    assert "error: step 11: loss term cross_entropy nan in conv2" in error_line(done)
    assert len(list((run_directory(tmp_path) / "replay").iterdir())) == 10


@pytest.mark.parametrize("root", ["file", "file/below"])
def test_a_place_where_nothing_can_be_written(command, hep_files, tmp_path, root):
    (tmp_path / "file").write_text("in the way")
    line = error_line(command("train", *hep_files, f"run.root={root}"))
    assert f"cannot write {root}" in line


def test_a_folder_of_another_owner(baryon, hep_files, tmp_path, environment):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "cannot write locked" in error_line(baryon("train", *hep_files, "run.root=locked"))


def test_without_room_for_a_checkpoint(baryon, hep_files, environment):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    assert font_manager.fontManager.ttflist  # whose file, too long for the limit, is there already
    fonts = {"MPLCONFIGDIR": get_cachedir()}
    few = ("train", *hep_files, "train.steps=2")
    line = error_line(baryon(*few, preexec_fn=limit, env=environment | fonts))
    assert "checkpoints/" in line
    assert "cannot write" in line
    assert "make room" in line


def test_bad_data_is_found_before_a_run_is_made(command, hep_files, tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    line = error_line(command("train", *hep_files, "dataset.test=bad.h5"))
    assert "bad.h5 is not HDF5 but a text file" in line
    assert not (tmp_path / "runs").exists()


def test_all_that_a_step_can_be_told_and_what_the_run_says_of_it(command, hep_files, tmp_path):
    done = command(
        "train",
        *hep_files,
        "train.epochs=1",
        "train.schedule=cosine",
        "train.warmup_steps=2",
        "train.clip_norm=1.0",
        "train.precision=bf16",
        "train.activation_checkpointing=true",
        "train.memory_gib=0.006",
        "train.keep_checkpoints=1",
        "train.profile=true",
        "loss.weighting=log",
        "data.stage=near",
    )
    assert done.returncode == 0, done.stderr
    folder = Path("near") / f"baryon-staged-{os.geteuid()}"
    assert done.stdout.count(f"is staged in {folder}") == 3
    copies = {path.name.partition("-")[2] for path in (tmp_path / folder).glob("*.h5")}
    assert copies == {"train.h5", "val.h5", "test.h5"}
    run = run_directory(tmp_path)
    (execution,) = [record for record in records(run) if record["kind"] == "execution"]
    assert (execution["precision"], execution["mode"]) == ("bf16", "eager")
    assert 1 <= execution["micro_batch"] < 16
    assert f"micro-batches of {execution['micro_batch']} samples take 0.0" in done.stdout
    (meters,) = [record for record in records(run) if record["kind"] == "meters"]
    assert list(meters["gflop_by_layer"]) == ["conv1", "conv2", "conv3", "fc1", "fc"]
    assert meters["phase_seconds"].keys() >= {"input", "forward", "backward", "checkpoint"}
    assert sum(meters["phase_seconds"].values()) == pytest.approx(meters["wall_seconds"], rel=0.1)
    rates = meters["rates"]
    assert rates["peak"]["samples_per_second"] >= rates["sustained"]["samples_per_second"] > 0
    assert 0 < rates["peak"]["mfu"] < 1.5
    train = [record for record in records(run) if record["kind"] == "train"]
    assert train[-1]["ms"].keys() >= {"input", "forward", "backward", "optimizer"}
    assert "goodput" in done.stdout
    report = (run / "report.html").read_text()
    assert "Operations by layer" in report
    assert "Computed in bf16 eager" in report
    assert "aten::" in (run / "profile" / "table.txt").read_text()
    assert json.loads((run / "profile" / "trace.json").read_text())["traceEvents"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, REQUEUE), (signal.SIGUSR1, REQUEUE), (signal.SIGINT, 130)],
)
def test_within_a_slurm_job_its_signals_ask_for_a_requeue(monkeypatch, number, code):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    stop = StopRequest()
    stop.handle(number, None)
    assert stop.exit_code == code


def test_bad_checkpoints_are_named_when_a_run_goes_on(command, hep_files, tmp_path):
    assert command("train", *hep_files, "train.steps=3", "run.name=bad").returncode == 0
    run = tmp_path / "runs" / "bad"

    def resume():
        return command("resume", f"run={run}")

    (run / "metrics.json").unlink()
    config = (run / "config.yaml").read_text()
    last = run / "checkpoints" / "last.pt"

    (run / "config.yaml").write_text(config.replace("filters: 8", "filters: 4"))
    line = error_line(resume())
    assert "last.pt was written with model.filters=8, here it is 4: put the run's config" in line
    (run / "config.yaml").write_text(config)
    whole = last.read_bytes()
    for path in (last, *(run / "checkpoints").glob("step-*.pt")):
        path.write_bytes(whole[:1000])
    line = error_line(resume())
    assert "last.pt is no readable checkpoint (it has no checksum at its end" in line
    shutil.copy(run / "checkpoints" / "best.pt", last)
    assert "last.pt holds weights, as best.pt does" in error_line(resume())
    last.write_bytes(whole)
    best = run / "checkpoints" / "best.pt"
    best.write_bytes(best.read_bytes()[:-1])
    line = error_line(resume())
    assert "best.pt is no readable checkpoint" in line
    assert "weights=last` evaluates the last weights" in line
    best.unlink()
    done = resume()
    assert done.returncode == 0, done.stderr

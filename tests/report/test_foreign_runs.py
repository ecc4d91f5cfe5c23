"""A run from somebody else is data: what its files say runs nothing and leads nowhere."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from baryon.cli import main
from baryon.config import frozen_file
from baryon.errors import BaryonError
from baryon.report.page import page as pages
from baryon.runs import record as run_record
from baryon.runs import sweep_record
from baryon.runs.directory import RunDirectory, fill, find
from baryon.runs.git_state import git_state

DEEP_JSON = '{"a":' * 5000 + "1" + "}" * 5000
DIGITS = "9" * 5000
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(40))
RATE = {"samples_per_second": 1.0, "tflops_per_second": 1.0, "mfu": 0.1}
TRAIN = {"kind": "train", "step": 1, "epoch": 1, "seconds": 1.0, "loss": 1.0, **RATE}
METERS = {
    "kind": "meters", "step": 1, "epoch": 1, "seconds": 1.0, "wall_seconds": 1.0, "goodput": 0.5,
    "lost_seconds": 0.0, "sustained_steps": 1, "gflop_per_sample": 1.0,
    "peak_tflops_per_second": 1.0, "phase_seconds": {"input": 1.0}, "gflop_by_layer": {},
    "rates": {"peak": RATE, "sustained": RATE, "whole run": RATE},
}  # fmt: skip


def line(record: dict) -> str:
    return json.dumps(record) + "\n"


def provenance_with(**parts):
    return ("provenance.json", lambda text: json.dumps(json.loads(text) | parts))


def of_answer(**parts):
    return ("evaluation.json", lambda text: json.dumps(json.loads(text) | parts))


def of_log(record: dict):
    return ("metrics.jsonl", lambda text: line(record) + text + line(record))


def of_config(before: str, after: str):
    return ("config.yaml", lambda text: re.sub(before, lambda _: after, text, count=1))


def whole(name: str, text: str):
    return (name, lambda _: text)


DAMAGES = {
    **{
        f"{n} is empty": whole(n, "") for n in ("config.yaml", "provenance.json", "evaluation.json")
    },
    **{f"{n} is a list": whole(n, "[1]\n") for n in ("config.yaml", "provenance.json")},
    "metrics are a list": whole("metrics.json", "[1]"),
    "config is a bomb": whole("config.yaml", BOMB),
    "config is deep": whole("config.yaml", "a: " + "[" * 20_000),
    "config holds 5,000 digits": of_config("seed: 1", f"seed: {DIGITS}"),
    "config holds a tag": of_config("seed: 1", "seed: !!python/name:os.system x"),
    "config names no model": of_config("name: hep_cnn", "nome: hep_cnn"),
    "config names a number": of_config("name: hep_cnn", "name: 3"),
    "config names a path": of_config("name: hep_cnn", "name: ../../../../tmp/x"),
    "config has a section of another kind": of_config(r"train:\n( .*\n)+", "train: 3\n"),
    "config has keys of two kinds": of_config("seed: 1", "seed: 1\n2: 3"),
    "config is no UTF-8": ("config.yaml", lambda _: "caf\udce9: 1"),
    "provenance is deep": whole("provenance.json", DEEP_JSON),
    "provenance holds 5,000 digits": whole("provenance.json", f'{{"format": {DIGITS}}}'),
    "format is a text": provenance_with(format="x"),
    "format is negative": provenance_with(format=-1),
    "started is a number": provenance_with(started=3),
    "ranks are texts": provenance_with(ranks=["a"]),
    "ranks have no host": provenance_with(ranks=[{"threads": 1}]),
    "threads are texts": provenance_with(ranks=[{"host": "a", "threads": "b"}]),
    "hosts are lists": provenance_with(ranks=[{"host": [], "threads": 1}] * 2),
    "command holds numbers": provenance_with(command=[1]),
    "resumed are texts": provenance_with(resumed=["x"]),
    "resumed by no command": provenance_with(resumed=[{"at": "x"}]),
    "git is a text": provenance_with(git="x"),
    "git has no branch": provenance_with(git={"commit": "x"}),
    "git's changes are a number": provenance_with(
        git={"commit": "a", "branch": "b", "changes": 3, "patch_bytes": 1, "untracked": 1}
    ),
    "process is a text": provenance_with(process={"host": os.uname().nodename, "pid": "x"}),
    "process is huge": provenance_with(process={"host": os.uname().nodename, "pid": 2**64}),
    "changed is a list": provenance_with(changed=[1]),
    "data nest": provenance_with(data={"train": {"a": [1]}}),
    "half a surrogate": whole("evaluation.json", '{"summary": "\\ud800"}'),
    "captions lead out": of_answer(captions={"../../secret": "x", "/etc/passwd": "y", "a\0b": "z"}),
    "captions are lists": of_answer(captions={"roc": [1, {}]}),
    "warnings are a text": of_answer(warnings="x"),
    "warnings nest": of_answer(warnings=[{"a": 1}]),
    "metrics nest": of_answer(metrics={"a": {"b": [1]}, "c": None, "d": 2**63}),
    "summary is a number": of_answer(summary=3),
    "communication is of mappings": of_answer(of_communication=[{}]),
    "columns are numbers": of_answer(tables={"a": {"columns": [1], "rows": [[{}], [None]]}}),
    "a row is short": of_answer(tables={"a": {"columns": [1, 2], "rows": [[1]]}}),
    "a caption is a list": of_answer(tables={"a": {"columns": [1], "rows": [], "caption": []}}),
    "a share is a style": of_answer(
        tables={"a": {"columns": ["share"], "rows": [["1%;background:red"]]}}
    ),
    "log is deep": ("metrics.jsonl", lambda text: DEEP_JSON + "\n" + text),
    "log holds 5,000 digits": (
        "metrics.jsonl",
        lambda text: text.replace('"step": 1,', f'"step": {DIGITS},', 1),
    ),
    "log is no UTF-8": ("metrics.jsonl", lambda text: "\udcff\n" + text),
    "a line is a list": ("metrics.jsonl", lambda text: text + "[1]\n"),
    "a step is 2^60": of_log(TRAIN | {"step": 2**60}),
    "a step is a text": of_log(TRAIN | {"step": "1"}),
    "a step is true": of_log(TRAIN | {"step": True}),
    "seconds are not finite": of_log(TRAIN | {"seconds": float("nan")}),
    "seconds are 1e300": of_log(TRAIN | {"seconds": 1e300}),
    "seconds of another line": of_log({"kind": "stopped", "seconds": "x", "step": []}),
    "a loss is a text": of_log(TRAIN | {"loss": "x"}),
    "a loss is infinite": of_log(TRAIN | {"loss": float("inf")}),
    "a term is a list": of_log(TRAIN | {"term": [1]}),
    "phases are texts": of_log(TRAIN | {"ms": {"input": "x"}}),
    "communication holds a step": of_log(TRAIN | {"comm": {"step": "x", "a": 1.0}}),
    "an epoch is a mapping": of_log(TRAIN | {"epoch": {}}),
    "no rate at all": of_log(METERS | {"rates": {}}),
    "an unknown rate": of_log(METERS | {"rates": METERS["rates"] | {"other": RATE}}),
    "a rate of texts": of_log(METERS | {"rates": dict.fromkeys(METERS["rates"], "x")}),
    "phases without end": of_log(METERS | {"phase_seconds": {"a": float("inf")}}),
    "layers without operations": of_log(METERS | {"gflop_by_layer": {"a": 0.0}}),
    "goodput is a text": of_log(METERS | {"goodput": "x"}),
    "execution of texts": of_log({"kind": "execution", "total_steps": "x", "parameters": "y"}),
    "execution without a mode": of_log({"kind": "execution", "why": "x"}),
}


def damage(run: Path, how: str) -> None:
    name, change = DAMAGES[how]
    text = (run / name).read_text()
    (run / name).write_bytes(change(text).encode(errors="surrogateescape"))


@pytest.fixture(scope="module")
def whole_run(write_run, tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(whole_run, tmp_path) -> Path:
    subprocess.run(["cp", "-r", whole_run, tmp_path / "run"], check=True)
    return tmp_path / "run"


@pytest.mark.parametrize("how", DAMAGES)
def test_a_report_of_a_damaged_run_is_a_page_or_one_line(run, capsys, how):
    damage(run, how)
    code = main(["report", f"run={run}"])
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == code
    if code == 0:
        assert "</html>" in (run / "report.html").read_text()
        # And beside itself, and as the one job of a sweep.
        assert main(["report", f"run={run},{run}", f"out={run}/two.html"]) == 0
        assert main(["report", f"sweep={run.parent}"]) == 0


@pytest.mark.parametrize(
    "command", ["resume", "evaluate", "reproduce", "data show", "export", "predict"]
)
@pytest.mark.parametrize("how", ["config is a bomb", "config names a number"])
def test_commands_refuse_a_damaged_run_in_one_line(run, capsys, command, how):
    damage(run, how)
    if command == "resume":
        (run / "metrics.json").unlink()
    more = {"export": ["format=torch"], "predict": ["input=x.h5"]}.get(command, [])
    assert main([*command.split(), f"run={run}", *more]) == 1  # there are no weights in any case
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("baryon: error: ")


def test_the_files_of_a_run_name_what_is_wrong_with_them(run):
    (run / "config.yaml").write_text(BOMB)
    with pytest.raises(BaryonError, match="an anchor or alias, line 1"):
        frozen_file.read(run / "config.yaml")


def test_figures_are_taken_from_the_runs_folder_alone(run, tmp_path, capsys):
    secret = b"\x89PNG\r\n\x1a\n the user's own"
    (tmp_path / "secret.png").write_bytes(secret)
    (run / "figures" / "roc.png").unlink()
    (run / "figures" / "roc.png").symlink_to(tmp_path / "secret.png")
    (run / "figures" / "training.png").write_text("<svg onload=x>")
    answer = json.loads((run / "evaluation.json").read_text())
    answer["captions"] |= {"../../secret": "outside", "../figures/roc": "again"}
    (run / "evaluation.json").write_text(json.dumps(answer))
    assert main(["report", f"run={run}"]) == 0
    said = capsys.readouterr().out
    page = (run / "report.html").read_text()
    assert base64.b64encode(secret).decode()[:20] not in page
    assert "image/png" not in page
    assert "roc.png is a link, which is not followed" in said
    assert "training.png is not a PNG file" in said
    assert "'../../secret.png' leads out of" in said


def test_a_folder_of_figures_that_is_a_link_is_not_followed(run, tmp_path, capsys):
    (run / "figures").rename(tmp_path / "outside")
    (run / "figures").symlink_to(tmp_path / "outside")
    assert main(["report", f"run={run}"]) == 0
    assert "figures is a link, which is not followed" in capsys.readouterr().out
    assert "image/png" not in (run / "report.html").read_text()


@pytest.mark.parametrize(
    "name", ["provenance.json", "evaluation.json", "config.yaml", "metrics.jsonl"]
)
def test_a_file_that_is_a_link_is_not_read(run, tmp_path, name, capsys):
    (run / name).rename(tmp_path / "outside")
    (run / name).symlink_to(tmp_path / "outside")
    assert main(["report", f"run={run}"]) == 0
    assert f"{name} is a link, which is not followed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints", "figures", "evaluations"])
def test_nothing_is_written_through_a_link_of_a_run(run, tmp_path, name):
    if (run / name).exists():
        (run / name).rename(run / f"{name}-before")
    (run / name).symlink_to(tmp_path / "outside")
    for take in (find, lambda path: fill(Path(path))):
        with pytest.raises(BaryonError, match=f"{name} is a link, which is not followed"):
            take(str(run))


def test_a_sweep_leads_to_no_folder_outside(tmp_path, write_sweep, write_run, capsys):
    write_run(tmp_path / "outside")
    path = write_sweep(tmp_path / "sweep")
    sweep = json.loads((path / "sweep.json").read_text())
    sweep["jobs"][0]["run"] = "../outside"
    (path / "sweep.json").write_text(json.dumps(sweep))
    assert main(["report", f"sweep={path}"]) == 1
    assert "'../outside' leads out of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "job"),
    [
        ({"swept": [3]}, {}), ({"command": "x"}, {}), ({"metric": 3}, {}), ({"jobs": {}}, {}),
        ({"direction": []}, {}), ({"jobs": [1]}, {}), ({"more": 1}, {}), ({}, {"state": []}),
        ({}, {"state": "x"}), ({}, {"choices": []}), ({}, {"value": "y"}), ({}, {"number": -1}),
        ({}, {"seconds": 1e300}), ({}, {"run": 3}), ({}, {"more": 1}),
    ],
)  # fmt: skip
def test_a_sweep_of_other_types_is_one_line(tmp_path, write_sweep, part, job, capsys):
    path = write_sweep(tmp_path / "sweep")
    sweep = json.loads((path / "sweep.json").read_text())
    sweep["jobs"][1] |= job
    (path / "sweep.json").write_text(json.dumps(sweep | part))
    assert main(["report", f"sweep={path}"]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert f"({next(iter(part), 'jobs')!r} is not what a sweep writes)" in error


def test_a_sweep_of_a_newer_format_is_refused(tmp_path, write_sweep, capsys):
    path = write_sweep(tmp_path / "sweep")
    sweep = json.loads((path / "sweep.json").read_text())
    (path / "sweep.json").write_text(json.dumps({**sweep, "format": 2, "more": 1}))
    assert main(["report", f"sweep={path}"]) == 1
    assert "has format 2; this Baryon reads up to 1: install a newer" in capsys.readouterr().err


def test_a_sweep_without_its_file_does_not_follow_latest(tmp_path, write_sweep):
    path = write_sweep(tmp_path / "sweep", named=False)
    (path / "latest").symlink_to("0")
    assert len(sweep_record.read(path).jobs) == 4


def test_a_config_with_interpolations_is_refused_and_reads_no_variable(run, monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("<b>train</b>.h5", "${oc.env:TOKEN}"))
    with pytest.raises(BaryonError, match=r"holds '\$\{' in dataset\.train") as error:
        frozen_file.read(run / "config.yaml")
    assert "hunter2" not in str(error.value)


def test_what_a_config_asks_of_the_readers_machine_needs_the_command_line(run, tmp_path, capsys):
    values = yaml.safe_load((run / "config.yaml").read_text())
    values["data"]["stage"] = str(tmp_path)
    values["tracking"] |= {
        "tensorboard": True, "mlflow": "http://evil.example", "wandb": "online",
        "trackio": "evil/space",
    }  # fmt: skip
    (run / "config.yaml").write_text(yaml.safe_dump(values))
    config = frozen_file.read(run / "config.yaml")
    assert config.data.stage is None
    assert config.tracking.mlflow is None
    assert config.tracking.wandb is None
    assert config.tracking.trackio is None
    assert config.tracking.tensorboard
    said = capsys.readouterr().out
    assert f"asks for data.stage={tmp_path}, which only a command line can" in said
    assert "asks for tracking.mlflow=http://evil.example, which only" in said
    assert config.values["data"]["stage"] == str(tmp_path)  # as it was, to be written down again
    word = [f"data.stage={tmp_path}/mine", "tracking.mlflow=http://mine.example"]
    word += ["tracking.wandb=offline", "tracking.trackio=local"]
    obeyed = frozen_file.read(run / "config.yaml", word)
    assert obeyed.data.stage == f"{tmp_path}/mine"
    assert obeyed.tracking.mlflow == "http://mine.example"
    assert (obeyed.tracking.wandb, obeyed.tracking.trackio) == ("offline", "local")
    assert obeyed.digest == config.digest
    assert capsys.readouterr().out == ""


def test_an_override_of_the_user_may_read_the_environment(run, monkeypatch):
    monkeypatch.setenv("DATA", "/data")
    config = frozen_file.read(run / "config.yaml", ["dataset.train=${oc.env:DATA}/a.h5"])
    assert config.choices["dataset"].arguments["train"] == "/data/a.h5"


def test_git_of_a_foreign_folder_is_not_run(tmp_path, run, monkeypatch, capsys):
    trap = tmp_path / "trap"
    folder = tmp_path / "archive"
    subprocess.run(["git", "init", "-q", folder], check=True)
    who = ("-c", "user.name=a", "-c", "user.email=b")
    commit = ["git", "-C", folder, *who, "commit", "-q", "--allow-empty", "-m", "x"]
    subprocess.run(commit, check=True)
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    subprocess.run(["git", "-C", folder, "config", "core.fsmonitor", hook], check=True)
    provenance = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps(provenance | {"folder": str(folder)}))
    calls = []
    for module in ("provenance", "reproduction"):
        monkeypatch.setattr(f"baryon.runs.{module}.git_state", lambda path: calls.append(path))
    assert main(["reproduce", f"run={run}"]) == 1  # there are no weights
    assert calls == []
    assert not trap.exists()
    state, _ = git_state(folder)  # by the user's word, and not even then the monitor
    assert state is not None
    assert not trap.exists()


def test_more_processes_than_the_machine_has_are_not_started_by_a_provenance_file(
    run, monkeypatch, capsys
):
    provenance = json.loads((run / "provenance.json").read_text())
    many = [{"host": "a", "threads": 1}] * 5000
    (run / "provenance.json").write_text(json.dumps(provenance | {"ranks": many}))
    monkeypatch.setattr("baryon.commands.reproduce._outcome", lambda run: None)
    assert main(["reproduce", f"run={run}"]) == 1
    assert "had 5000 processes, too many for this machine" in capsys.readouterr().err


def test_how_a_run_was_computed_is_not_taken_from_a_log_unseen(run, monkeypatch):
    from baryon.commands.reproduce import _config
    from baryon.plugins.registry import discover

    monkeypatch.setenv("TOKEN", "hunter2")
    bad = {
        "kind": "execution",
        "precision": "${oc.env:TOKEN}",
        "mode": "eager",
        "channels_last": True,
    }
    (run / "metrics.jsonl").write_text(line(bad))
    with pytest.raises(BaryonError, match="does not tell how the run was computed"):
        _config(RunDirectory(run), discover())


def test_numbers_in_a_page_are_those_a_browser_holds():
    assert pages.finite({"a": [2**60, -(2**60), 2**53, True, float("nan")]}) == {
        "a": [float(2**60), -float(2**60), 2**53, True, None]
    }
    assert pages.width("12.5%") == "12.5%"
    assert pages.width("1%;background:red") == pages.width("x") == pages.width(None) == "0%"


def test_a_run_whose_name_is_an_address_is_linked_as_a_file(tmp_path, write_run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("javascript:alert(1)", "b"):
        run = write_run(tmp_path / name)
        (run / "report.html").write_text("x")
    assert main(["report", "run=javascript:alert(1)", "run=b"]) == 0
    page = (tmp_path / "comparison.html").read_text()
    assert 'href="javascript%3Aalert%281%29/report.html"' in page


def test_a_damaged_log_goes_on_being_read(run):
    record = run_record.read(RunDirectory(run))
    with (run / "metrics.jsonl").open("a") as file:
        file.write(f'{{"kind": "train", "step": {DIGITS}}}\n')
    again = run_record.read(RunDirectory(run))
    assert again.log == record.log
    assert again.problems == [*record.problems, "1 lines of metrics.jsonl, which are damaged"]

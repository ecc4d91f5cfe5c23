"""`baryon report` on what is whole, going on, half-deleted, older, newer, or no run at all."""

import json
import os
import shutil
import time

import pytest

from baryon.cli import main
from baryon.report.page import charts, run_page
from baryon.runs import provenance, sweep_record
from baryon.runs import record as run_record
from baryon.runs.comparison import differing
from baryon.runs.directory import FORMAT, RunDirectory
from baryon.runs.provenance import Provenance
from baryon.runs.run_state import FINISHED, INTERRUPTED, RUNNING, SILENT_SECONDS, STOPPED
from baryon.runs.stored_evaluation import StoredEvaluation


def read(path):
    return run_record.read(RunDirectory(path))


def error_line(capsys, *arguments) -> str:
    assert main(["report", *arguments]) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    return line


def test_a_run_that_goes_on_is_marked_so(tmp_path, write_run, going, capsys):
    log = [
        {"kind": "execution", "step": 0, "epoch": 1, "seconds": 1.0, "total_steps": 100},
        {"kind": "train", "step": 25, "epoch": 1, "seconds": 11.0, "loss": 0.5, "ce": 0.5,
         "samples_per_second": 9.0, "tflops_per_second": 0.1, "mfu": 0.1, "ms": {}},
    ]  # fmt: skip
    run = write_run(tmp_path / "run", finished=False, provenance=going, log=log)
    assert read(run).state == RUNNING
    assert main(["report", f"run={run}"]) == 0
    assert capsys.readouterr().out == f"report: {run}/report.html\n"
    page = (run / "report.html").read_text()
    assert 'class="chip busy">running<' in page
    assert "Step 25 of 100, about 33.0 s left" in page


def test_a_run_whose_process_is_gone_is_broken_off(tmp_path, write_run, going):
    process = going["process"]
    dead = {"process": process | {"began": "1"}}  # another process has its number now
    assert read(write_run(tmp_path / "a", finished=False, provenance=dead)).state == INTERRUPTED
    elsewhere = write_run(tmp_path / "b", finished=False)
    assert read(elsewhere).state == RUNNING
    long_ago = time.time() - SILENT_SECONDS - 1
    os.utime(elsewhere / "metrics.jsonl", (long_ago, long_ago))
    assert read(elsewhere).state == INTERRUPTED


def test_a_run_that_was_stopped_says_so_until_it_goes_on(tmp_path, write_run, going):
    log = [{"kind": "stopped", "step": 3, "epoch": 1, "seconds": 1.0}]
    run = write_run(tmp_path / "run", finished=False, provenance=going, log=log)
    assert read(run).state == STOPPED
    later = {"process": going["process"] | {"started": time.time() + 1}}
    again = write_run(tmp_path / "again", finished=False, provenance=later, log=log)
    assert read(again).state == RUNNING


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("metrics.jsonl", "metrics.jsonl: there are no curves and no times"),
        ("config.yaml", "config.yaml: its configuration is not known"),
        ("provenance.json", "provenance.json: what it ran on is not known"),
        ("evaluation.json", "evaluation.json: of the answer only metrics.json is there"),
        ("figures", "figures/: roc, training"),
    ],
)
def test_of_a_half_deleted_run_the_rest_is_shown(tmp_path, write_run, gone, said, capsys):
    run = write_run(tmp_path / "run")
    (shutil.rmtree if (run / gone).is_dir() else os.unlink)(run / gone)
    assert main(["report", f"run={run}"]) == 0
    assert f"missing: {said}" in capsys.readouterr().out
    page = (run / "report.html").read_text()
    assert said in page
    assert 'class="chip good">finished<' in page


@pytest.mark.parametrize(
    "name", ["provenance.json", "evaluation.json", "config.yaml", "metrics.jsonl"]
)
@pytest.mark.parametrize("text", ["{", '"text"'])
def test_a_damaged_file_is_named_and_the_rest_shown(tmp_path, write_run, name, text, capsys):
    run = write_run(tmp_path / "run")
    (run / name).write_text(text + "\n")
    assert main(["report", f"run={run}"]) == 0
    assert name in capsys.readouterr().out


def test_tables_of_a_wrong_shape_are_named(tmp_path, write_run, capsys):
    run = write_run(tmp_path / "run")
    (run / "evaluation.json").write_text(json.dumps({"tables": {"a": 3}, "summary": "well"}))
    assert main(["report", f"run={run}"]) == 0
    assert "missing: table a" in capsys.readouterr().out
    assert "well" in (run / "report.html").read_text()


def test_parts_of_a_wrong_kind_are_named(tmp_path, write_run, capsys):
    log = [
        {"kind": "train", "step": 1, "loss": "much"},
        {"kind": "validation", "step": 1, "epoch": 1, "seconds": 1.0, "loss": float("nan")},
        {"kind": "meters"},
        {"kind": 3},
    ]
    run = write_run(tmp_path / "run", provenance={"ranks": 3, "machine": "large"}, log=log)
    assert main(["report", f"run={run}"]) == 0
    said = capsys.readouterr().out
    assert "missing: 3 lines of metrics.jsonl, which are damaged" in said
    assert "missing: ranks of provenance.json, which is damaged" in said
    assert "missing: machine of provenance.json, which is damaged" in said


def test_a_run_whose_process_died_names_it_and_others_say_that_none_did(tmp_path, write_run):
    run = write_run(tmp_path / "run")
    answer = json.loads((run / "evaluation.json").read_text())
    assert "All 5 processes completed." in run_page.page(read(run))
    answer["tables"]["faults"] = {
        "columns": ["who died", "noticed in step"], "rows": [["rank 3", 7]], "caption": "Faults",
    }  # fmt: skip
    answer["of_communication"].append("faults")
    (run / "evaluation.json").write_text(json.dumps(answer))
    page = run_page.page(read(run))
    assert "processes completed" not in page
    assert '<th scope="row">rank 3</th><td class="number" data-value="7">7</td>' in page


def test_the_charts_of_a_run_are_those_of_its_log(tmp_path, write_run):
    found = {chart["id"]: chart for chart in charts.of_run(read(write_run(tmp_path / "run")))}
    assert list(found) == ["loss", "rate", "phases", "staleness", "comm-exposed_ms"]
    assert [one["name"] for one in found["loss"]["series"]] == ["training", "validation"]
    assert [one["name"] for one in found["staleness"]["series"]] == ["mean of all layers", "conv1"]
    assert found["phases"]["stacked"]
    assert found["phases"]["series"][0]["y"][0] == 10.0
    shares = [share["share"] for share in run_page.times(read(tmp_path / "run"))["shares"]]
    assert sum(shares) == pytest.approx(1.0)


def test_a_run_of_a_newer_baryon_is_one_line(tmp_path, write_run, capsys):
    run = write_run(tmp_path / "run", provenance={"format": FORMAT + 1, "baryon": "9.0"})
    line = error_line(capsys, f"run={run}")
    assert line.endswith(
        f"has run format {FORMAT + 1}, written by baryon 9.0; this one reads formats up to "
        f"{FORMAT}: install that version"
    )
    assert not (run / "report.html").exists()


def test_what_is_no_run_or_no_sweep_is_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "is not a run folder: it has no config.yaml" in error_line(
        capsys, f"run={tmp_path / 'empty'}"
    )
    assert "does not exist" in error_line(capsys, f"run={tmp_path / 'nothing'}")
    line = error_line(capsys, f"sweep={tmp_path / 'empty'}")
    assert "is not a sweep folder: it has neither sweep.json nor runs in it" in line
    (tmp_path / "empty" / "sweep.json").write_text("{")
    assert "sweep.json cannot be read" in error_line(capsys, f"sweep={tmp_path / 'empty'}")
    (tmp_path / "empty" / "sweep.json").write_text('{"format": 1, "jobs": [3]}')
    assert "sweep.json cannot be read" in error_line(capsys, f"sweep={tmp_path / 'empty'}")
    (tmp_path / "empty" / "sweep.json").write_text('{"format": 9}')
    assert "has format 9" in error_line(capsys, f"sweep={tmp_path / 'empty'}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs/latest"], "'runs/latest' is not of the form key=value"),
        (["rnu=x"], "report takes no 'rnu='; did you mean 'run='? choose from: "),
        (["run="], "give run=<dir>"),
        (["out=x.html"], "give run=<dir> or sweep=<dir> or scaling=<dir>, one of them"),
        (["run=a", "sweep=b"], "give run=<dir> or sweep=<dir> or scaling=<dir>, one of them"),
        (["run=a", "out=nowhere/x.html"], "there is no folder nowhere"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in error_line(capsys, *arguments)


def test_a_glob_is_the_runs_that_it_matches_each_once(tmp_path, monkeypatch, capsys, write_run):
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a"):
        write_run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "latest").symlink_to("a")
    (tmp_path / "runs" / "notes").mkdir()
    assert main(["report", "run=runs/*", "run=runs/b"]) == 0
    assert "<h1>a and b</h1>" in (tmp_path / "comparison.html").read_text()
    assert main(["report", "run=runs/l*"]) == 0
    assert (tmp_path / "runs" / "a" / "report.html").is_file()
    assert "run=runs/x*: no run folders match" in error_line(capsys, "run=runs/x*")


def test_the_page_of_several_runs_lies_where_it_is_asked(tmp_path, monkeypatch, write_run):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    assert main(["report", "run=a,b"]) == 0
    assert (tmp_path / "comparison.html").is_file()
    assert main(["report", "run=a", "run=b", "out=other.html"]) == 0
    assert "a and b" in (tmp_path / "other.html").read_text()
    assert main(["report", "run=a"]) == 0
    assert main(["report", "run=a,b"]) == 0
    assert 'href="a/report.html"' in (tmp_path / "comparison.html").read_text()


def test_a_resumption_is_noted_and_takes_over(tmp_path, write_run):
    run = RunDirectory(write_run(tmp_path / "run", finished=False))
    provenance.add_resumption(run, [provenance.rank_provenance(threads=2)] * 3)
    noted = provenance.read(run)
    assert [len(entry.ranks) for entry in noted.resumed] == [3]
    assert noted.process.pid == os.getpid()
    assert read(run.path).state == RUNNING
    assert "resumed at" in run_page.page(read(run.path))
    run.provenance.write_text("{")
    provenance.add_resumption(run, [])  # a damaged one stops no resumption
    assert run.provenance.read_text() == "{"


def test_what_differs_between_runs(tmp_path, write_run):
    one = read(write_run(tmp_path / "a"))
    other = read(write_run(tmp_path / "b", config={"model.filters": 16, "run.name": "b"}))
    assert differing([one, other]) == {"model.filters": [8, 16]}
    assert differing([one, one]) == {}


def test_a_sweep_as_its_file_tells_it(tmp_path, write_sweep):
    sweep = sweep_record.read(write_sweep(tmp_path / "sweep"))
    assert sweep.best.number == 3
    assert [job.state for job in sweep.jobs] == [FINISHED] * 4 + ["failed", "waiting"]
    assert not sweep.is_running
    assert sweep.problems == []


def test_a_sweep_names_its_command_without_where_baryon_was_installed(tmp_path, write_sweep):
    path = write_sweep(tmp_path / "sweep")
    text = json.loads((path / "sweep.json").read_text())
    text |= {"name": "sweep", "command": ["/opt/bin/baryon", "train", "-m"]}
    (path / "sweep.json").write_text(json.dumps(text))
    assert sweep_record.read(path).command == ["baryon", "train", "-m"]


def test_a_sweep_without_its_file_is_read_from_its_runs(tmp_path, write_sweep, capsys):
    path = write_sweep(tmp_path / "sweep", named=False)
    sweep = sweep_record.read(path)
    assert set(sweep.swept) == {"train.learning_rate", "train.optimizer"}
    assert sweep.best.choices == {"train.learning_rate": 1e-4, "train.optimizer": "sgd"}
    assert main(["report", f"sweep={path}"]) == 0
    assert "missing: sweep.json" in capsys.readouterr().out


def test_a_job_whose_folder_is_gone_or_whose_process_died_is_told(tmp_path, write_sweep):
    path = write_sweep(tmp_path / "sweep")
    shutil.rmtree(path / "2")
    text = json.loads((path / "sweep.json").read_text())
    text["jobs"][0]["state"] = text["jobs"][1]["state"] = "running"
    (path / "sweep.json").write_text(json.dumps(text))
    (path / "0" / "metrics.json").unlink()
    long_ago = time.time() - SILENT_SECONDS - 1
    os.utime(path / "0" / "metrics.jsonl", (long_ago, long_ago))
    sweep = sweep_record.read(path)
    assert sweep.problems == ["the folder of job 2 (2)"]
    assert [job.state for job in sweep.jobs[:2]] == [INTERRUPTED, RUNNING]
    assert main(["report", f"sweep={path}"]) == 0


def test_a_long_log_is_thinned_and_keeps_its_peaks():
    records = [
        {"kind": "train", "step": n, "epoch": 1, "seconds": n / 10, "loss": 1.0, "ce": 1.0}
        for n in range(50_000)
    ]
    records[31_337]["ce"], records[17]["ce"] = 99.0, -5.0
    records[5]["ce"] = float("nan")
    run = run_record.RunRecord(None, FINISHED, {}, Provenance(), records, StoredEvaluation())
    (loss,) = charts.of_run(run)
    (series,) = loss["series"]
    assert len(series["y"]) <= charts.MAX_POINTS
    assert series["y"][series["step"].index(31_337)] == 99.0
    assert series["y"][series["step"].index(17)] == -5.0
    assert len(series["step"]) == len(series["seconds"]) == len(series["y"])
    assert all(y is None or y == y for y in series["y"])


def test_the_same_run_many_times_makes_a_page_of_reasonable_size(tmp_path, write_run, capsys):
    run = write_run(tmp_path / "run", steps=1000)
    assert main(["report", *[f"run={run}"] * 20, f"out={tmp_path / 'many.html'}"]) == 0
    assert (tmp_path / "many.html").stat().st_size < 1_500_000

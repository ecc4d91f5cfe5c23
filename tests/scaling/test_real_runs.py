"""How real runs scaled: read from their folders' records, with predictions beside them."""

import pytest

from baryon.cli import main
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.runs.provenance import Provenance, RankProvenance
from baryon.runs.record import RunRecord
from baryon.runs.stored_evaluation import StoredEvaluation
from baryon.scaling.machine import read_machine
from baryon.scaling.network import read_network
from baryon.scaling.page import page_of_runs
from baryon.scaling.prediction import Settings, predict
from baryon.scaling.real_runs import kind_of_scaling, read_runs, single_rate_of
from baryon.scaling.tables import of_runs


def record(tmp_path, name, comm, ranks, batch, rate, *, model="hep_cnn", meters=True, gflop=15.43):
    """A finished run as its folder would tell it."""
    speeds = {
        "kind": "meters",
        "rates": {"sustained": {"samples_per_second": rate, "tflops_per_second": rate / 100}},
        "gflop_per_sample": gflop,
        "phase_seconds": {"start": 3.0, "forward": 2.0, "backward": 4.0, "communication": 1.0},
    }
    return RunRecord(
        directory=RunDirectory(tmp_path / name),
        state="finished",
        config={"comm": comm, "train": {"batch_size": batch}, "model": {"name": model}},
        provenance=Provenance(ranks=[RankProvenance("here", 1)] * ranks),
        log=[speeds] if meters else [],
        evaluation=StoredEvaluation(),
    )


@pytest.fixture
def weak(tmp_path):
    return [
        record(tmp_path, "four", {"name": "sync"}, 4, 32, 300.0),
        record(tmp_path, "one", {"name": "serial"}, 1, 8, 100.0),
        record(tmp_path, "hybrid", {"name": "hybrid", "groups": 2, "servers": 1}, 5, 32, 360.0),
        record(tmp_path, "async", {"name": "async", "servers": 2}, 6, 32, 380.0),
    ]


def test_runs_are_read_with_their_workers_groups_and_servers(weak):
    runs = {run.name: run for run in read_runs(weak, None, None)}
    shapes = {
        name: (run.job.workers, run.job.groups, run.job.servers) for name, run in runs.items()
    }
    assert shapes == {
        "one": (1, 1, 0),
        "four": (4, 1, 0),
        "hybrid": (4, 2, 1),
        "async": (4, 4, 2),
    }
    assert {run.job.samples for run in runs.values()} == {8}
    assert runs["four"].phases == {"forward": 2.0, "backward": 4.0, "communication": 1.0}


def test_speed_up_and_efficiency_are_over_the_smallest_run(weak):
    runs = read_runs(weak, None, None)
    assert single_rate_of(runs) == 100
    table = of_runs(runs)
    by_name = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert by_name["four"]["speed-up"] == "3"
    assert by_name["four"]["efficiency"] == "75.0%"
    assert table.caption == "weak scaling: 8 samples a worker in each step"


def test_equal_batches_of_all_are_strong_scaling(tmp_path):
    records = [record(tmp_path, f"r{n}", {"name": "sync"}, n, 32, 10.0 * n) for n in (1, 2, 4)]
    assert kind_of_scaling(read_runs(records, None, None)).startswith("strong scaling: 32 samples")
    mixed = [*records, record(tmp_path, "r8", {"name": "sync"}, 8, 100, 80.0)]
    assert kind_of_scaling(read_runs(mixed, None, None)) == "runs of different batches"


def test_predictions_stand_beside_the_runs(weak):
    machine, network = read_machine("cori_knl", "hep_cnn"), read_network("hep_cnn")
    runs = read_runs(weak, machine, network)
    table = of_runs(runs)
    for run, row in zip(runs, table.rows, strict=True):
        expected = predict(machine, network, run.job, Settings(steps=400)).samples_per_second
        cells = dict(zip(table.columns, row, strict=True))
        assert cells["predicted, samples/s"] == f"{expected:,.4g}"
        assert cells["error"] == f"{100 * (expected / run.samples_per_second - 1):+.1f}%"
    page = page_of_runs(runs, ["predictions for a machine"])
    assert page.count('<img src="data:image/png') == 2
    assert "predictions for a machine" in page


def test_a_run_that_goes_on_has_no_speeds(tmp_path):
    unfinished = record(tmp_path, "going", {"name": "sync"}, 2, 16, 1.0, meters=False)
    with pytest.raises(BaryonError, match="run going has no speeds yet"):
        read_runs([unfinished], None, None)


def test_runs_of_different_models_are_not_compared(tmp_path, weak):
    other = record(tmp_path, "other", {"name": "sync"}, 8, 64, 1.0, model="climate_15pf")
    with pytest.raises(BaryonError, match=r"run \w+ trains '\w+', not '\w+': scaling compares"):
        read_runs([*weak, other], None, None)
    machine, network = read_machine("cori_knl", "climate_15pf"), read_network("climate_15pf")
    with pytest.raises(BaryonError, match="trains 'hep_cnn', not 'climate_15pf'"):
        read_runs(weak, machine, network)


def test_another_size_of_the_model_than_was_measured_is_refused(tmp_path):
    small = record(tmp_path, "small", {"name": "sync"}, 2, 16, 1.0, gflop=0.0095)
    machine, network = read_machine("cori_knl", "hep_cnn"), read_network("hep_cnn")
    with pytest.raises(BaryonError, match=r"run small takes 0\.0095 GFLOP for a sample"):
        read_runs([small], machine, network)


@pytest.mark.parametrize("key", ["groups", "servers"])
def test_a_number_that_is_none_is_named(tmp_path, key):
    torn = record(tmp_path, "torn", {"name": "hybrid", key: "many"}, 4, 16, 1.0)
    with pytest.raises(BaryonError, match=f"run torn does not say its comm.{key}"):
        read_runs([torn], None, None)


@pytest.mark.parametrize("damaged", [{}, {"name": 3}, "sync"])
def test_a_run_that_does_not_say_how_it_ran_is_named(tmp_path, damaged):
    with pytest.raises(BaryonError, match=r"run torn does not say its comm\.name"):
        read_runs([record(tmp_path, "torn", damaged, 2, 16, 1.0)], None, None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run=x", "machine=laptop"], "machine= goes with scaling=<dir>"),
        (["scaling=nowhere"], "nowhere"),
        (["scaling=x", "run=y"], "give run=<dir> or sweep=<dir> or scaling=<dir>, one of them"),
    ],
)
def test_what_cannot_be_reported_is_one_line(capsys, arguments, says):
    assert main(["report", *arguments]) == 1
    error = capsys.readouterr().err.strip()
    assert says in error
    assert "\n" not in error

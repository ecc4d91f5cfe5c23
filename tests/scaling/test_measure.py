"""Measuring: each layer's time is its own, and predictions start from what was measured."""

import json

import numpy as np
import pytest
import torch

from baryon.cli import main
from baryon.errors import BaryonError
from baryon.scaling.job import Job
from baryon.scaling.measure import layer_times, measure
from baryon.scaling.measure.layer_times import StepTimes, time_step, typical
from baryon.scaling.measure.messages import SIZES, Messages
from baryon.scaling.measurement import read_machine_and_network
from baryon.scaling.prediction import Settings, predict
from baryon.scaling.study import Request, study
from baryon.scaling.tables import notes


@pytest.fixture
def ticks(monkeypatch):
    """A clock that goes on by a second each time that it is read."""

    def clock(device):
        seconds = iter(range(10**6))
        return lambda: float(next(seconds))

    monkeypatch.setattr(layer_times, "_clock", clock)


def test_a_layers_time_is_that_between_its_begin_and_the_next_ones(ticks):
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2), torch.nn.Linear(2, 1)
    )
    times = time_step(model, ["0", "2", "3"], lambda: model(torch.ones(5, 3)).sum())
    # Read at: start 0, begins of the layers 1, 2, 3, middle 4; then weight and bias of each layer
    # from the last, 5 to 10, in either order; end 11.
    assert times.forward.tolist() == [2, 1, 1]
    assert times.backward.tolist() == [3, 2, 2]
    assert times.total == 11


def test_timing_leaves_the_output_and_the_model_as_they_are():
    model = torch.nn.Linear(3, 2)
    given = torch.ones(4, 3)
    before = model(given).sum()
    kept = []

    def loss():
        kept.append(model(given).sum())
        return kept[0]

    time_step(model, [""], loss)
    assert kept[0] == before
    assert not model._forward_pre_hooks
    assert not model.weight._post_accumulate_grad_hooks


def test_a_frozen_layer_takes_no_time_of_backward(ticks):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    model[0].requires_grad_(False)
    times = time_step(model, ["0", "1"], lambda: model(torch.ones(5, 3)).sum())
    assert times.backward.sum() + times.forward.sum() == times.total
    assert (times.backward >= 0).all()


def test_a_typical_step_is_as_long_as_the_mean():
    steps = [StepTimes(np.array([1.0, 2.0]), np.array([3.0, x])) for x in (4.0, 5.0, 12.0)]
    result = typical(steps)
    assert result.total == pytest.approx(np.mean([step.total for step in steps]))
    assert result.forward[1] / result.forward[0] == pytest.approx(2)


def test_the_spread_of_ranks_is_what_chance_does_not_explain():
    def rank(*totals):
        return measure.RankTimes({}, totals, 0.0, 0.0, 0.0)

    assert measure._spread([rank(0.9, 1.1), rank(0.95, 1.05)]) == 0
    assert measure._spread([rank(1.0, 1.0), rank(3.0, 3.0)]) == pytest.approx(0.5)
    assert measure._spread([rank(0.8, 1.2), rank(2.8, 3.2)]) == pytest.approx(
        (1 - 0.2**2 / 2) ** 0.5 / 2
    )


@pytest.mark.parametrize(("algorithm", "hops"), [("ring", 15), ("tree", 4)])
def test_the_algorithm_and_bandwidth_of_sums_are_found_again(algorithm, hops):
    latency, bandwidth = 2e-6, 5e9

    def all_reduce(nbytes):
        return 2 * hops * latency + 2 * 15 / 16 * nbytes / bandwidth

    measured = Messages(
        16, dict.fromkeys(SIZES, latency), {n: all_reduce(n) for n in SIZES}, {}, {}
    )
    assert measured.collectives() == algorithm
    assert measured.bandwidth() == pytest.approx(bandwidth)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What one process measured of a small network."""
    file = tmp_path_factory.mktemp("measured") / "here.json"
    few = ["model.filters=4", "train.optimizer=sgd", "batches=1,2,4", "repeats=2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "READ_SECONDS", 0.05)
        assert main(["scale", "measure", "experiment=hep_demo", *few, f"out={file}"]) == 0
    return file


def test_a_measurement_holds_every_layer_with_its_batches(measured):
    content = json.loads(measured.read_text())
    assert content["network"]["name"] == "hep_cnn"
    assert content["network"]["input"] == [3, 64, 64]
    assert content["network"]["optimizer_state"] == 1
    assert list(content["measured"]) == list(content["network"]["layers"])
    for phases in content["measured"].values():
        assert all(list(times) == ["1", "2", "4"] for times in phases.values())
    assert content["figures"]["most_batch"]["value"] == 4
    assert "latency" not in content["figures"]


@pytest.fixture(scope="module")
def edited(measured):
    """The same file with what one process cannot measure, and without chance."""
    content = json.loads(measured.read_text())
    mine = {"latency": 1e-6, "bandwidth": 1e9, "jitter": 0, "input_bandwidth": 1e12}
    content["figures"] |= {name: {"value": v, "source": "mine"} for name, v in mine.items()}
    file = measured.with_name("edited.json")
    file.write_text(json.dumps(content))
    return file


def test_one_process_has_no_messages_and_a_prediction_says_so(measured):
    with pytest.raises(BaryonError, match=r"figure 'latency' .* is missing"):
        read_machine_and_network(str(measured), None)


def test_one_node_is_predicted_to_take_the_measured_step(measured, edited):
    content = json.loads(measured.read_text())
    machine, network = read_machine_and_network(str(edited), None)
    prediction = predict(machine, network, Job(1, samples=4))
    computing = sum(
        times["4"] for phases in content["measured"].values() for times in phases.values()
    )
    update = network.nbytes / content["figures"]["update_bandwidth"]["value"]
    assert prediction.step == pytest.approx(computing + update)
    assert not prediction.extrapolated


def test_a_batch_that_was_not_measured_is_said_and_where_was_measured(edited):
    machine, network = read_machine_and_network(str(edited), None)
    settings = Settings(steps=10, window=10)
    request = Request(nodes=(2,), comms=("sync",), samples=32, settings=settings)
    origin, beyond = notes(study(machine, network, request))
    assert origin.startswith("measured on host ")
    assert "32 samples a node are outside the 1 to 4" in beyond


def test_another_network_than_the_measured_one_is_refused(measured):
    with pytest.raises(BaryonError, match=r"was measured with network 'hep_cnn' \(3 x 64 x 64"):
        read_machine_and_network(str(measured), "hep_cnn")


def test_a_measurement_never_overwrites_a_file(measured, capsys):
    assert main(["scale", "measure", "experiment=hep_demo", f"out={measured}"]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.mpi
@pytest.mark.extended
def test_several_ranks_measure_their_messages(tmp_path, baryon):
    out = tmp_path / "two.json"
    few = ["model.filters=4", "batches=1,2", "repeats=2", "comm=sync", f"out={out}"]
    done = baryon("launch", "ranks=2", "scale", "measure", "experiment=hep_demo", *few)
    assert done.returncode == 0, done.stderr
    content = json.loads(out.read_text())
    assert content["messages"]["ranks"] == 2
    assert set(content["messages"]["all_reduce"]) == {str(n) for n in SIZES}
    assert content["figures"]["latency"]["value"] > 0
    machine, network = read_machine_and_network(str(out), None)
    assert predict(machine, network, Job(8, samples=2), Settings(steps=10)).step > 0

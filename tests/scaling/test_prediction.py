"""Predictions keep what must be kept, and reach the limits that are known without a model."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baryon.errors import BaryonError
from baryon.scaling.failures import failures
from baryon.scaling.job import Job
from baryon.scaling.machine import FIGURES, LARGEST, read_machine
from baryon.scaling.network import read_network
from baryon.scaling.node import interpolate, node_step
from baryon.scaling.prediction import PARTS, Settings, predict
from baryon.scaling.sampling import slowest_delays
from baryon.scaling.servers import place_layers
from baryon.scaling.staleness import staleness

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from events.simulation import simulate

HEP = read_network("hep_cnn")
CORI = read_machine("cori_knl", "hep_cnn")
QUIET = CORI.changed(jitter=0, speed_spread=0)
IDEAL = QUIET.changed(
    latency=0, bandwidth=1e29, server_bandwidth=1e29, file_system_bandwidth=1e29, nodes=10**6
)
FEW = Settings(steps=200, window=20)
jobs = st.builds(
    lambda size, groups, samples, hybrid: Job(
        size * groups, groups, 6 if hybrid or groups > 1 else 0, samples
    ),
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(1, 32),
    st.booleans(),
)


@pytest.mark.parametrize("samples", [1, 8, 32])
def test_one_node_takes_the_measured_step(samples):
    node = node_step(CORI, HEP, samples)
    measured = node.input + node.forward + node.backward.sum() + node.update
    assert predict(QUIET, HEP, Job(1, samples=samples), FEW).step == pytest.approx(measured)
    noisy = predict(CORI, HEP, Job(1, samples=samples), Settings(steps=20_000))
    assert noisy.step == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("nodes", [1, 64, 4096, 100_000])
def test_without_jitter_and_with_endless_bandwidth_speed_up_is_linear(nodes):
    assert predict(IDEAL, HEP, Job(nodes), FEW).speed_up == pytest.approx(nodes)


def test_a_hybrid_worker_saves_its_own_update_in_that_limit():
    node = node_step(IDEAL, HEP, 8)
    prediction = predict(IDEAL, HEP, Job(64, 4, 6), FEW)
    assert prediction.efficiency == pytest.approx((node.compute + node.update) / node.compute)


def test_a_synchronous_step_takes_as_long_as_its_slowest_node():
    alone = list(slowest_delays(CORI, Job(24, 24, 1), 0.06, 400, seed=3))
    together = list(slowest_delays(CORI, Job(24), 0.06, 400, seed=3))
    for nodes, group in zip(alone, together, strict=True):
        np.testing.assert_allclose(group[:, 0], nodes.max(axis=1))


@given(job=jobs)
@settings(max_examples=30)
def test_the_parts_of_a_step_are_the_step_and_no_rate_exceeds_a_better_one(job):
    prediction = predict(CORI, HEP, job, FEW)
    assert set(prediction.parts) == set(PARTS)
    assert sum(prediction.parts.values()) == pytest.approx(prediction.step)
    assert prediction.flops <= prediction.sustained_flops * (1 + 1e-9)
    assert prediction.sustained_flops <= prediction.peak_flops * (1 + 1e-9)
    assert prediction.flops == pytest.approx(prediction.samples_per_second * HEP.flops)
    assert 0 <= prediction.server_load <= 1


@given(job=jobs, figure=st.sampled_from(["latency", "jitter"]))
@settings(max_examples=20)
def test_a_worse_figure_never_makes_a_step_shorter(job, figure):
    worse = CORI.changed(**{figure: 3 * CORI[figure]})
    # Jitter alone is drawn: a fast lone node gains by it as often as it loses.
    slack = 0.02 if figure == "jitter" and job.group_size == 1 else 1e-9
    assert predict(worse, HEP, job, FEW).step >= predict(CORI, HEP, job, FEW).step * (1 - slack)


@given(nbytes=st.sampled_from(["bandwidth", "server_bandwidth", "input_bandwidth"]), job=jobs)
@settings(max_examples=20)
def test_less_bandwidth_never_makes_a_step_shorter(job, nbytes):
    slower = CORI.changed(**{nbytes: CORI[nbytes] / 3})
    assert predict(slower, HEP, job, FEW).step >= predict(CORI, HEP, job, FEW).step * (1 - 1e-9)


@given(
    job=jobs,
    figures=st.dictionaries(
        st.sampled_from(sorted(set(FIGURES) - {"nodes", *LARGEST})),
        st.floats(-25, 25).map(lambda power: 10**power),
    ),
)
@settings(max_examples=60)
def test_any_figures_give_finite_numbers_or_one_line(job, figures):
    try:
        prediction = predict(CORI.changed(**figures), HEP, job, FEW)
    except BaryonError:
        return
    for value in (prediction.step, prediction.samples_per_second, prediction.peak_flops):
        assert math.isfinite(value)
        assert value > 0
    assert 0 <= prediction.failures.survival <= 1
    assert 0 <= prediction.failures.loss <= 1


def test_equal_seeds_give_equal_predictions():
    job = Job(128, 4, 6)
    assert predict(CORI, HEP, job, FEW) == predict(CORI, HEP, job, FEW)
    other = Settings(steps=FEW.steps, window=FEW.window, seed=2)
    assert predict(CORI, HEP, job, other) != predict(CORI, HEP, job, FEW)


@pytest.mark.parametrize(("groups", "servers"), [(2, 6), (8, 2), (16, 1)])
def test_sampling_agrees_with_discrete_events(groups, servers):
    job = Job(16 * groups, groups, servers)
    # One draw of the nodes' speeds would differ from another: what is compared are the queues.
    even = CORI.changed(speed_spread=0)
    simulated = simulate(even, HEP, job, 300)
    prediction = predict(even, HEP, job, Settings(steps=300))
    assert prediction.step == pytest.approx(simulated.step, rel=0.03)
    assert prediction.staleness == pytest.approx(simulated.staleness, rel=0.02)
    assert prediction.server_load == pytest.approx(simulated.server_load, rel=0.05)


def test_a_saturated_server_sets_the_pace():
    slow = QUIET.changed(server_bandwidth=1e6)
    job = Job(16, 8, 1)
    work = HEP.nbytes / 1e6
    prediction = predict(slow, HEP, job, FEW)
    assert prediction.step == pytest.approx(8 * work, rel=0.1)
    assert prediction.server_load == pytest.approx(1, abs=0.1)


def test_staleness_is_the_number_of_updates_by_others():
    # The fast group makes two updates while the slow one makes one.
    seconds = np.array([[1.0, 2.1], [1.0, 2.1], [1.0, 2.1], [1.0, 2.1], [1.0, 2.1], [1.0, 2.1]])
    missed = staleness(seconds)
    # Until 6 s: updates 2 to 6 of the fast group, which miss 0, 1, 0, 1, 0 of the slow one; its
    # second update, at 4.2 s, misses those at 3 and 4 s.
    assert sorted(missed) == [0, 0, 0, 1, 1, 2]


@pytest.mark.parametrize("groups", [2, 4, 9])
def test_equal_groups_are_stale_by_one_less_than_their_number(groups):
    prediction = predict(CORI, HEP, Job(8 * groups, groups, 6), Settings(steps=1000))
    assert prediction.staleness == pytest.approx(groups - 1, rel=0.02)


def test_layers_are_spread_over_servers_without_loss():
    servers = place_layers(CORI, HEP, 3)
    assert servers.work.sum() == pytest.approx(HEP.nbytes / CORI["server_bandwidth"])
    with pytest.raises(BaryonError, match="servers=7 are more than the 6 layers"):
        place_layers(CORI, HEP, 7)


def test_failures_follow_young_and_the_exponential_law():
    sync = failures(CORI, HEP, Job(1000), 0.1, hours=24)
    between = CORI["node_mtbf"] * 3600 / 1000
    write = HEP.checkpoint_bytes / CORI["checkpoint_bandwidth"]
    assert sync.checkpoint_seconds == pytest.approx(math.sqrt(2 * write * between))
    assert sync.survival == pytest.approx(math.exp(-24 * 1000 / CORI["node_mtbf"]))
    hybrid = failures(CORI, HEP, Job(1000, 8, 6), 0.1, hours=24)
    assert hybrid.survival > sync.survival
    assert hybrid.loss < sync.loss


def test_checkpoints_add_their_time_to_the_steps_that_wait():
    without, with_them = (
        predict(CORI, HEP, Job(4, checkpoint_every=every), FEW) for every in (0, 10)
    )
    write = HEP.checkpoint_bytes / CORI["checkpoint_bandwidth"]
    assert with_them.parts["checkpoint"] == pytest.approx(write / 10)
    assert with_them.step == pytest.approx(without.step + write / 10)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (lambda: Job(10, 4, 1), "groups=4 do not fit nodes=10.* give nodes=8 or 12"),
        (lambda: Job(8, 2, 0), "give servers=1 or more"),
        (lambda: Job(0), "must be above 0"),
        (lambda: predict(CORI, HEP, Job(4), Settings(steps=10**9)), "give fewer steps"),
        (lambda: predict(CORI, HEP, Job(9688, 8, 1), FEW), "has 9,688 nodes, fewer than 9688"),
    ],
)
def test_a_job_that_cannot_be_is_refused(job, says):
    with pytest.raises(BaryonError, match=says):
        job()


def test_measured_times_are_taken_as_they_are_and_lines_between_them():
    times = {2: 0.2, 4: 0.3, 8: 0.7}
    assert [interpolate(times, n) for n in (2, 3, 4, 6, 8)] == pytest.approx(
        [0.2, 0.25, 0.3, 0.5, 0.7]
    )
    assert interpolate({4: 0.2}, 8) == pytest.approx(0.4)
    assert interpolate({8: 0.1, 16: 1.1}, 1) == 0


@pytest.mark.parametrize(("samples", "beyond"), [(1, True), (2, False), (8, False), (9, True)])
def test_a_batch_beyond_the_covered_range_is_marked(samples, beyond):
    assert predict(CORI, HEP, Job(4, samples=samples), FEW).extrapolated is beyond

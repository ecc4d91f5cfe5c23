"""Families of jobs, and the best groups and servers among them."""

import pytest

from baryon.errors import BaryonError
from baryon.scaling.job import Job
from baryon.scaling.machine import read_machine
from baryon.scaling.network import read_network
from baryon.scaling.prediction import Settings, predict
from baryon.scaling.study import MOST_GROUPS, WORTH, Request, best, fewest_nodes, study

HEP = read_network("hep_cnn")
CORI = read_machine("cori_knl", "hep_cnn")
FEW = Settings(steps=100, window=10)


def jobs(**request):
    result = study(CORI, HEP, Request(settings=FEW, **request))
    shapes = [(p.job.comm, p.job.workers, p.job.groups) for p in result.predictions]
    return shapes, result


def test_every_combination_that_was_asked_for_is_predicted():
    shapes, result = jobs(nodes=(8, 16), groups=(2, 4), servers=(1, 3))
    assert shapes.count(("sync", 8, 1)) == shapes.count(("sync", 16, 1)) == 1
    hybrid = [
        (p.job.workers, p.job.groups, p.job.servers) for p in result.predictions if p.job.servers
    ]
    assert hybrid == [(n, g, s) for n in (8, 16) for g in (2, 4) for s in (1, 3)]


def test_without_servers_each_number_of_groups_gets_the_best_ones():
    shapes, _ = jobs(nodes=(16,), comms=("hybrid",), groups=(2, 4, 8))
    assert shapes == [("hybrid", 16, 2), ("hybrid", 16, 4), ("hybrid", 16, 8)]


def test_without_groups_the_best_are_looked_for():
    shapes, result = jobs(nodes=(64,), comms=("hybrid",))
    ((_, _, groups),) = shapes
    assert 2 <= groups <= MOST_GROUPS
    rate = result.predictions[0].samples_per_second
    for other in (2, 4):
        _, others = jobs(nodes=(64,), comms=("hybrid",), groups=(other,), servers=(6,))
        # The search draws as many steps, and takes fewer groups where they are as good.
        assert others.predictions[0].samples_per_second <= rate * (1 + 3 * WORTH)


def test_no_more_servers_are_taken_than_pay():
    chosen = best(CORI, HEP, Request(nodes=(), settings=FEW), 64)
    assert chosen.job.servers <= 6
    all_servers = predict(CORI, HEP, Job(64, chosen.job.groups, 6), Settings(steps=200))
    assert chosen.samples_per_second >= (1 - 4 * WORTH) * all_servers.samples_per_second


def test_jobs_that_do_not_fit_are_left_out_with_their_reason():
    shapes, result = jobs(nodes=(1, 8), comms=("hybrid",), groups=(4,), servers=(1,))
    assert shapes == [("hybrid", 8, 4)]
    assert result.skipped == [
        "groups=4 do not fit nodes=1, which are the workers without servers: give nodes=4"
    ]


def test_if_nothing_fits_the_reason_is_the_error():
    with pytest.raises(BaryonError, match="11 workers cannot be divided into 2 to 10"):
        jobs(nodes=(11,), comms=("hybrid",))


def test_strong_scaling_shares_a_groups_samples():
    _, result = jobs(nodes=(8, 64), comms=("sync",), group_samples=128)
    assert [p.job.samples for p in result.predictions] == [16, 2]
    alone = predict(CORI, HEP, Job(1, samples=128), FEW)
    assert result.predictions[0].speed_up == pytest.approx(
        result.predictions[0].samples_per_second / alone.samples_per_second, rel=0.05
    )


@pytest.mark.parametrize("rate", [1, 1_000, 20_000])
def test_the_fewest_nodes_reach_a_rate_and_one_less_does_not(rate):
    quiet = CORI.changed(jitter=0, speed_spread=0)
    request = Request(nodes=(), comms=("sync",), settings=FEW)
    nodes = fewest_nodes(quiet, HEP, request, rate)
    job = predict(quiet, HEP, Job(nodes), FEW)
    assert job.samples_per_second >= rate
    assert nodes == 1 or predict(quiet, HEP, Job(nodes - 1), FEW).samples_per_second < rate

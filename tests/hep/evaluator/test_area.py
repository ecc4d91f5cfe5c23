import numpy as np
import pytest
from hypothesis import assume, given
from tests.hep.evaluator.scored_events import samples

from baryon_hep.evaluator.area import area, area_with_interval
from baryon_hep.evaluator.bootstrap import Sample
from baryon_hep.evaluator.roc import roc_curve
from baryon_hep.evaluator.slices import slices


def mann_whitney(score, weight, signal):
    """The definition, pair by pair."""
    better = total = 0.0
    for s, w in zip(score[signal], weight[signal], strict=True):
        for t, v in zip(score[~signal], weight[~signal], strict=True):
            better += w * v * ((s > t) + 0.5 * (s == t))
            total += w * v
    return better / total


@given(samples())
def test_area_is_the_weighted_mann_whitney_statistic(sample):
    assert area(roc_curve(*sample)) == pytest.approx(mann_whitney(*sample), abs=1e-9)


def known(score, weight, signal):
    classes = [
        Sample(score[one], weight[one], np.zeros(one.sum(), bool), slices(weight[one]))
        for one in (signal, ~signal)
    ]
    return area_with_interval(roc_curve(score, weight, signal), *classes)


@given(samples())
def test_the_interval_holds_the_area_and_lies_within_its_range(sample):
    found = known(*sample)
    ends = found.interval
    assert 0 <= ends.low_95 <= ends.low <= found.value <= ends.high <= ends.high_95 <= 1 + 1e-12
    assert ends.high - ends.low > 0


@given(samples())
def test_an_inverted_network_is_known_as_well(sample):
    score, weight, signal = sample
    assume(abs(mann_whitney(*sample) - 0.5) > 1e-6)
    found, other = known(score, weight, signal), known(-score, weight, signal)
    assert found.interval.low == pytest.approx(1 - other.interval.high, abs=1e-9)
    assert found.interval.high_95 == pytest.approx(1 - other.interval.low_95, abs=1e-9)


def test_one_score_for_all_is_a_guess():
    assert known(np.zeros(40), np.ones(40), np.arange(40) < 10).value == pytest.approx(0.5)


def test_an_area_of_one_is_no_certainty():
    # Half an event of each class, at the wrong end of the other: exponential, of mean 1/n.
    score = np.arange(200.0)
    found = known(score, np.ones(200), score >= 100)
    assert found.value == found.interval.high == 1
    assert found.interval.low == pytest.approx(1 - 0.01 * -np.log(0.158655), rel=1e-6)
    assert found.interval.low_95 == pytest.approx(1 - 0.01 * -np.log(0.025), rel=1e-6)


def test_of_large_samples_it_is_the_variance_of_delong():
    # Placements, their variances over the classes: the pairs' own statistic.
    rng = np.random.default_rng(2)
    signal = np.arange(3000) < 1200
    score = rng.normal(signal * 1.0, 1)
    wins = score[signal][:, None] > score[~signal]
    of_signal, of_background = wins.mean(axis=1), wins.mean(axis=0)
    error = np.sqrt(of_signal.var() / 1200 + of_background.var() / 1800)
    found = known(score, np.ones(3000), signal).interval
    assert (found.high - found.low) / 2 == pytest.approx(error, rel=0.02)


def test_it_is_the_spread_of_repeated_samples():
    rng = np.random.default_rng(2)
    areas, errors = [], []
    for _ in range(400):
        signal = rng.random(300) < 0.4
        score = np.round(rng.normal(signal * 1.5, 1), 1)
        found = known(score, rng.exponential(size=300), signal)
        areas.append(found.value)
        errors.append((found.interval.high - found.interval.low) / 2)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)

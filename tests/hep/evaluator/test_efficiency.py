import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon_hep.evaluator.efficiency import effective_events, efficiency, upper_limit


def test_of_equal_weights_it_is_the_binomial():
    kept = np.arange(50) < 20
    found = efficiency(np.full(50, 3.0), kept)
    assert found.value == pytest.approx(0.4)
    assert found.error == pytest.approx(math.sqrt(0.4 * 0.6 / 50))
    assert found.events == 20
    assert found.effective_events == pytest.approx(20)


def test_by_hand_with_weights():
    found = efficiency(np.array([3.0, 1.0, 4.0]), np.array([True, True, False]))
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(math.sqrt(0.25 * 10 / 64 + 0.25 * 16 / 64))
    assert found.effective_events == pytest.approx(16 / 10)


def test_the_error_is_the_spread_of_repeated_samples():
    rng = np.random.default_rng(5)
    weight, kept = rng.exponential(size=400), rng.random(400) < 0.3
    repeated = weight * rng.poisson(size=(4000, 400))
    spread = (repeated[:, kept].sum(axis=1) / repeated.sum(axis=1)).std()
    assert efficiency(weight, kept).error == pytest.approx(spread, rel=0.05)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30))
def test_effective_events_lie_between_one_and_all(weights):
    effective = effective_events(np.array(weights))
    assert 1 - 1e-9 <= effective <= len(weights) * (1 + 1e-9)


def test_one_heavy_event_counts_as_one():
    assert effective_events(np.array([1e9, *np.ones(1000)])) == pytest.approx(1.0, rel=1e-3)
    assert effective_events(np.array([])) == 0


def test_upper_limit_is_three_events_over_all():
    assert upper_limit(np.full(1000, 0.2)) == pytest.approx(-math.log(0.05) / 1000)
    assert upper_limit(np.array([1.0])) == 1.0

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, chi2

from baryon_hep.evaluator.efficiency import central, effective_events, efficiency, upper_limit
from baryon_hep.evaluator.slices import slices


def of(weight, kept):
    return efficiency(weight, kept, slices(weight))


def test_of_equal_weights_it_is_the_beta_interval():
    found = of(np.full(50, 3.0), np.arange(50) < 20)
    assert found.value == pytest.approx(0.4)
    ends = [found.interval.low_95, found.interval.low, found.interval.high, found.interval.high_95]
    assert beta.cdf(ends, 21, 31) == pytest.approx(
        [0.025, 0.1587, 0.8413, 0.975],
        abs=0.008,  # three standard deviations of 20,000 draws
    )
    assert found.events == 20
    assert found.effective_events == pytest.approx(20)


@pytest.mark.parametrize("events", [0, 1, 6, 40])
def test_of_equal_weights_the_limit_is_the_poisson_limit(events):
    found = of(np.full(1000, 0.2), np.arange(1000) < events)
    assert found.limit == pytest.approx(chi2.ppf(0.95, 2 * (events + 1)) / 2 / 1000)


def test_nothing_kept_is_an_interval_from_zero():
    found = of(np.ones(500), np.zeros(500, bool))
    assert (found.value, found.interval.low, found.interval.low_95) == (0, 0, 0)
    assert beta.cdf(found.interval.high, 1, 501) == pytest.approx(0.8413, abs=0.01)
    assert found.effective_events == 0
    assert found.limit == pytest.approx(-math.log(0.05) / 500)


def test_all_kept_is_an_interval_up_to_one():
    found = of(np.ones(500), np.ones(500, bool))
    assert (found.value, found.interval.high, found.limit) == (1, 1, 1)
    assert beta.cdf(found.interval.low, 501, 1) == pytest.approx(0.1587, abs=0.01)


def test_a_slice_of_which_nothing_passes_counts_with_what_may_have_been_missed():
    weight = np.repeat([1000.0, 1.0], 200)
    kept = np.arange(400) >= 390  # of the light slice, ten
    found = of(weight, kept)
    alone = of(weight[200:], kept[200:])
    assert found.value == pytest.approx(10 / 200_200)
    assert found.interval.high_95 > 10 * alone.interval.high_95 / 1001
    assert found.limit > 3 * 1000 / 200_200
    assert found.effective_events < 0.1


def test_parts_of_events_are_kept():
    whole = of(np.ones(100), np.arange(100) < 30)
    parts = of(np.ones(100), np.where(np.arange(100) < 60, 0.5, 0.0))
    assert parts == whole


def test_the_same_sample_gives_the_same_interval():
    weight = np.repeat([5.0, 1.0], 40)
    kept = np.arange(80) % 4 == 0
    assert of(weight, kept) == of(weight, kept)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_effective_events_lie_between_none_and_all(weights, kept):
    weight = np.array(weights)
    keep = np.array(kept[: len(weight)])
    effective = effective_events(weight[keep].sum(), (weight[keep] ** 2).sum(), weight.max())
    assert -1e-9 <= effective <= keep.sum() * (1 + 1e-9)


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=30))
def test_one_more_event_never_lowers_the_limit(weights):
    weight = np.array(weights) / sum(weights) / 10
    limits = [
        float(upper_limit(weight[:n].sum(), (weight[:n] ** 2).sum(), weight.max()))
        for n in range(len(weight) + 1)
    ]
    assert all(after >= before * (1 - 1e-9) for before, after in pairwise(limits))


def test_an_interval_holds_its_estimate():
    found = central(np.linspace(1.0, 2.0, 100), 0.5)
    assert (found.low, found.low_95) == (0.5, 0.5)
    assert math.isnan(central(np.linspace(1.0, 2.0, 100), math.nan).low)

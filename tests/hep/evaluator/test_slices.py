from itertools import pairwise

import numpy as np
import pytest

from baryon_hep.evaluator.slices import slices


def test_equal_weights_are_a_slice_each():
    weight = np.repeat([22816.0, 3942.0, 1173.0], [30, 20, 10])
    np.random.default_rng(0).shuffle(weight)
    of = slices(weight)
    assert sorted(of.weight) == sorted([30 * 22816.0, 20 * 3942.0, 10 * 1173.0])
    assert sorted(of.unseen) == pytest.approx([1173, 3942, 22816])
    assert of.heaviest == 22816
    for number in range(3):
        assert len(np.unique(weight[of.of_event == number])) == 1


def test_near_weights_of_many_events_are_not_joined():
    assert len(slices(np.repeat([1.0, 1.1], 50)).weight) == 2


def test_continuous_weights_are_cut_into_factors_of_four():
    weight = np.geomspace(1.0, 63.9, 1000)
    of = slices(weight)
    assert len(of.weight) == 3
    for number in range(3):
        inside = weight[of.of_event == number]
        assert inside.max() / inside.min() <= 4
    assert of.weight.sum() == pytest.approx(weight.sum())


@pytest.mark.parametrize("sigma", [0.5, 1.5, 4.0])
def test_no_slice_of_continuous_weights_has_few_events(sigma):
    weight = np.random.default_rng(1).lognormal(sigma=sigma, size=500)
    of = slices(weight)
    assert np.bincount(of.of_event).min() >= 10
    # Neighbours are joined, so that slices do not overlap.
    ends = sorted(
        (weight[of.of_event == number].min(), weight[of.of_event == number].max())
        for number in range(len(of.weight))
    )
    assert all(low[1] < high[0] for low, high in pairwise(ends))


def test_few_events_beside_slices_join_none_of_them():
    of = slices(np.array([100.0] * 20 + [1.0] * 20 + [30.0, 0.2]))
    assert sorted(np.bincount(of.of_event)) == [2, 20, 20]


def test_weights_of_nothing_and_tiny_weights():
    of = slices(np.array([0.0, 0.0, 1e-100, 1.0]))
    assert of.weight.sum() == 1
    assert (of.weight > 0).all()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hep.evaluator.scored_events import samples

from baryon_hep.evaluator.roc import at_fpr, at_tpr, lowest_supported, roc_curve


def curve(signal, background, signal_weight=None, background_weight=None):
    score = np.array([*signal, *background], float)
    is_signal = np.arange(len(score)) < len(signal)
    weight = np.concatenate(
        [
            np.ones(len(signal)) if signal_weight is None else signal_weight,
            np.ones(len(background)) if background_weight is None else background_weight,
        ]
    )
    return roc_curve(score, weight, is_signal)


@given(samples())
def test_the_curve_rises_from_corner_to_corner(sample):
    roc = roc_curve(*sample)
    assert (roc.tpr[0], roc.fpr[0], roc.tpr[-1], roc.fpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(roc.tpr) >= 0).all()
    assert (np.diff(roc.fpr) >= 0).all()


@given(samples(), st.floats(0.01, 100), st.floats(-5, 5))
def test_a_monotone_transform_of_the_score_changes_nothing(sample, scale, shift):
    score, weight, signal = sample
    roc = roc_curve(score, weight, signal)
    other = roc_curve(np.arctan(scale * score) * 3 + shift, weight, signal)
    np.testing.assert_array_equal(roc.tpr, other.tpr)
    np.testing.assert_array_equal(roc.fpr, other.fpr)


@given(samples(), st.randoms(use_true_random=False))
def test_the_order_of_events_changes_nothing(sample, random):
    order = list(range(len(sample[0])))
    random.shuffle(order)
    roc, other = roc_curve(*sample), roc_curve(*(column[order] for column in sample))
    np.testing.assert_allclose(roc.tpr, other.tpr, atol=1e-12)
    np.testing.assert_allclose(roc.fpr, other.fpr, atol=1e-12)


@given(samples(), st.floats(0, 1))
def test_going_to_an_efficiency_and_back(sample, share):
    roc = roc_curve(*sample)
    point = at_fpr(roc, share)
    assert point.fpr == pytest.approx(share, abs=1e-8)
    if point.tpr > 0:
        assert at_tpr(roc, point.tpr).fpr <= share + 1e-8


def test_ties_give_the_chord_and_not_a_perfect_score():
    roc = curve([0.0] * 10, [0.0] * 30)
    for share in (0.0, 0.1, 0.5, 1.0):
        assert at_fpr(roc, share).tpr == pytest.approx(share)


def test_efficiency_at_a_rate_by_hand():
    roc = curve([5, 4, 2, 0], [3, 1, -1, -2])
    assert at_fpr(roc, 0.0).tpr == pytest.approx(0.5)
    assert at_fpr(roc, 0.2).tpr == pytest.approx(0.5)
    assert at_fpr(roc, 0.25).tpr == pytest.approx(0.75)
    assert at_fpr(roc, 0.5).tpr == pytest.approx(1.0)


def test_efficiency_at_a_rate_by_hand_with_weights_and_a_tie():
    # Above 2: signal 3 of 4, no background. At 2: signal 1 of 4, background 2 of 8.
    roc = curve([3, 2], [2, 1], signal_weight=[3, 1], background_weight=[2, 6])
    assert at_fpr(roc, 0.125).tpr == pytest.approx(3 / 4 + 1 / 8)
    assert at_fpr(roc, 0.25).tpr == pytest.approx(1.0)
    assert at_tpr(roc, 7 / 8).fpr == pytest.approx(0.125)


def test_a_rate_summed_in_another_order_is_still_that_vertex():
    # 0.1 ten times is not 1.0: without a tolerance the next background event would not be reached.
    weight = np.full(20, 0.1)
    roc = curve([9, 1.5], np.arange(20), background_weight=weight)
    share = sum(weight[2:]) / sum(weight)
    for nudge in (0, 1e-15, -1e-15):
        assert at_fpr(roc, share + nudge).tpr == pytest.approx(1.0)


def test_rejection_by_hand():
    roc = curve([5, 4, 2, 0], [3, 1, -1, -2])
    assert at_tpr(roc, 0.5).fpr == 0
    assert at_tpr(roc, 0.75).fpr == pytest.approx(0.25)
    assert at_tpr(roc, 1.0).fpr == pytest.approx(0.5)


def test_background_above_the_threshold_is_counted():
    roc = curve([1.5], [3, 2, 1], background_weight=[10, 1, 100])
    point = at_tpr(roc, 1.0)
    np.testing.assert_array_equal(point.kept(np.array([3.0, 2.0, 1.0])), [1, 1, 0])
    # Of two kept, and the heaviest that may have been missed.
    assert point.effective_background == pytest.approx((11 + 100) ** 2 / (101 + 100**2) - 1)
    assert roc.effective_background[0] == 0
    assert roc.fpr_limit[0] == pytest.approx(min(1, -np.log(0.05) * 100 / 111))
    assert roc.fpr_limit[-1] == 1


def test_part_of_a_tie_is_kept():
    point = at_fpr(curve([5, 1], [3, 1, 1, -2]), 0.5)
    np.testing.assert_allclose(point.kept(np.array([3.0, 1.0, 1.0, -2.0])), [1, 0.5, 0.5, 0])


def test_lowest_rate_that_the_background_supports():
    background = np.arange(1000.0)
    assert lowest_supported(curve([2000.0], background), 10) == 0.01
    assert lowest_supported(curve([2000.0], background), 11) == 0.02
    assert lowest_supported(curve([2000.0], background[:30]), 10) == 0.5
    assert lowest_supported(curve([2000.0], background[:15]), 10) is None
    # Light events above the others do not carry a rate: heavy ones may have been missed.
    weight = np.where(background >= 500, 1e-3, 1.0)
    assert lowest_supported(curve([2000.0], background, background_weight=weight), 10) == 0.02

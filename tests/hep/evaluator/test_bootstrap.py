import math

import numpy as np
import pytest

from baryon_hep.evaluator.bootstrap import Sample, bootstrap
from baryon_hep.evaluator.efficiency import efficiency
from baryon_hep.evaluator.roc import at_fpr, roc_curve
from baryon_hep.evaluator.slices import slices


def of(score, weight, passes):
    return Sample(score, weight, passes, slices(weight))


def sample(rng, n, mean, weights):
    latent = rng.normal(mean, 1, n)
    score = np.round(latent + rng.normal(0, 0.5, n), 1)  # with ties
    return of(score, rng.choice(weights, n), latent + rng.normal(0, 0.5, n) > 2)


def resampled(drawn, rng):
    """Scores, weights and flags of a class in one replica, with its unseen events."""
    weight = drawn.weight * rng.exponential(size=len(drawn.weight))
    count = len(drawn.slices.weight)
    unseen = drawn.slices.unseen * rng.gamma(1 / count, size=(2, count))
    for number in range(count):
        inside = drawn.slices.of_event == number
        scale = drawn.slices.weight[number] / (weight[inside].sum() + unseen[:, number].sum())
        weight[inside] *= scale
        unseen[:, number] *= scale
    only_network, only_cuts = unseen.sum(axis=1)
    return (
        np.append(drawn.score, [100.0, -100.0]),
        np.append(weight, [only_network, only_cuts]),
        np.append(drawn.passes, [False, True]),
    )


def plain(signal, background, replicas, rng, rate=None):
    """The same without any shortcut: a ROC curve of every replica."""
    network, cuts = [], []
    for _ in range(replicas):
        s, b = resampled(signal, rng), resampled(background, rng)
        score, weight = (np.concatenate([s[i], b[i]]) for i in (0, 1))
        roc = roc_curve(score, weight, np.arange(len(score)) < len(s[0]))
        target = b[1][b[2]].sum() / b[1].sum() if rate is None else rate
        if target >= b[1][-2] / b[1].sum():
            network.append(at_fpr(roc, target).tpr)
        else:
            network.append(0.0)
        cuts.append(s[1][s[2]].sum() / s[1].sum())
    return np.array(network), np.array(cuts)


@pytest.mark.parametrize("rate", [None, 0.05])
@pytest.mark.parametrize("weights", [[1.0], [0.01, 1.0, 5.0], np.linspace(0.1, 3, 500)])
def test_it_agrees_with_the_plain_bootstrap(weights, rate):
    rng = np.random.default_rng(0)
    signal, background = sample(rng, 300, 2, [1.0, 2.0]), sample(rng, 3000, 0, weights)
    network, cuts = plain(signal, background, 1000, rng, rate)
    drawn = bootstrap(signal, background, 1000, 4, rate)
    for ours, theirs in (
        (drawn.network, network),
        (drawn.cuts, cuts),
        (drawn.ratio, network / cuts),
    ):
        assert ours.mean() == pytest.approx(theirs.mean(), abs=4 * theirs.std() / math.sqrt(500))
        assert ours.std() == pytest.approx(theirs.std(), rel=0.12)


def test_the_cuts_have_the_posterior_of_their_efficiency():
    rng = np.random.default_rng(1)
    signal, background = sample(rng, 500, 2, [0.7]), sample(rng, 2000, 0.5, [0.1, 1.0, 30.0])
    drawn = bootstrap(background, signal, 4000, seed=1).cuts
    known = efficiency(background.weight, background.passes, background.slices).interval
    expected = [known.low_95, known.low, known.high, known.high_95]
    assert np.quantile(drawn, [0.025, 0.1587, 0.8413, 0.975]) == pytest.approx(expected, rel=0.03)


def test_a_network_that_does_as_the_cuts_do_has_a_ratio_of_one():
    passes = np.arange(4000) % 4 == 0
    signal = of(passes * 1.0, np.ones(4000), passes)
    background = of(passes * 1.0, np.ones(4000), passes)
    drawn = bootstrap(signal, background, 200, seed=0)
    # All that can differ is what was not seen: one event each.
    assert np.median(drawn.ratio) == pytest.approx(1, abs=1e-3)
    assert drawn.ratio.std() < 3e-3


def test_the_seed_decides():
    rng = np.random.default_rng(3)
    signal, background = sample(rng, 200, 2, [1.0]), sample(rng, 5000, 0, [1.0, 3.0])
    first, again, other = (bootstrap(signal, background, 20, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.network, again.network)
    assert (first.network != other.network).any()


def test_deep_thresholds_are_reached():
    # The cuts keep nearly all background.
    score = np.arange(20_000.0)
    background = of(score, np.ones(20_000), score > 10)
    low, high = (of(np.full(10, at), np.ones(10), np.ones(10, bool)) for at in (0.0, 1e5))
    assert bootstrap(low, background, 5, seed=0).network.max() < 0.5
    assert bootstrap(high, background, 5, seed=0).network.min() > 0.5


def test_an_empty_heavy_slice_leaves_the_threshold_open():
    # Light background alone tells the rate; of the heavy slice neither selection keeps anything.
    rng = np.random.default_rng(5)
    heavy, light = np.repeat([[1000.0], [1.0]], 200, axis=1)
    score = np.concatenate([rng.uniform(-9, -5, 200), rng.normal(size=200)])
    passes = np.arange(400) >= 360
    signal = sample(rng, 2000, 1, [1.0])
    with_heavy = of(score, np.concatenate([heavy, light]), passes)
    alone = of(score[200:], light, passes[200:])
    spread = [
        np.subtract(*np.quantile(bootstrap(signal, background, 500, 1).network, [0.84, 0.16]))
        for background in (with_heavy, alone)
    ]
    assert spread[0] > 3 * spread[1]

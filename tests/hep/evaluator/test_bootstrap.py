import math

import numpy as np
import pytest

from baryon_hep.evaluator.bootstrap import Sample, bootstrap
from baryon_hep.evaluator.roc import at_fpr, roc_curve


def sample(rng, n, mean, weights):
    latent = rng.normal(mean, 1, n)
    score = np.round(latent + rng.normal(0, 0.5, n), 1)  # with ties
    return Sample(score, rng.choice(weights, n), latent + rng.normal(0, 0.5, n) > 2)


def plain(signal, background, replicas, rng):
    """The same without any shortcut."""
    score = np.concatenate([signal.score, background.score])
    is_signal = np.arange(len(score)) < len(signal.score)
    network, cuts = [], []
    for _ in range(replicas):
        s = signal.weight * rng.poisson(1, len(signal.weight))
        b = background.weight * rng.poisson(1, len(background.weight))
        fpr = b[background.passes].sum() / b.sum()
        roc = roc_curve(score, np.concatenate([s, b]), is_signal)
        network.append(at_fpr(roc, fpr).tpr)
        cuts.append(s[signal.passes].sum() / s.sum())
    return np.array(network), np.array(cuts)


@pytest.mark.parametrize("weights", [[1.0], [0.01, 1.0, 5.0], np.linspace(0.1, 3, 500)])
def test_it_agrees_with_the_plain_bootstrap(weights):
    rng = np.random.default_rng(0)
    signal, background = sample(rng, 300, 2, [1.0, 2.0]), sample(rng, 3000, 0, weights)
    network, cuts = plain(signal, background, 1500, rng)
    found = bootstrap(signal, background, 1500, seed=4)
    for ours, theirs in (
        (found.network, network),
        (found.cuts, cuts),
        (found.network / found.cuts, network / cuts),
    ):
        assert ours.mean() == pytest.approx(theirs.mean(), abs=4 * theirs.std() / math.sqrt(750))
        assert ours.std() == pytest.approx(theirs.std(), rel=0.1)


def test_of_equal_weights_the_spread_is_the_binomial():
    rng = np.random.default_rng(1)
    signal, background = sample(rng, 1000, 2, [0.7]), sample(rng, 1000, 0, [1.0])
    share = signal.passes.mean()
    spread = bootstrap(signal, background, 2000, seed=1).cuts.std()
    assert spread == pytest.approx(math.sqrt(share * (1 - share) / 1000), rel=0.06)


def test_a_network_that_does_as_the_cuts_do_has_a_ratio_without_error():
    passes = np.arange(400) % 4 == 0
    signal = Sample(passes * 1.0, np.ones(400), passes)
    background = Sample(passes * 1.0, np.ones(400), passes)
    found = bootstrap(signal, background, 50, seed=0)
    np.testing.assert_allclose(found.network, found.cuts, rtol=1e-6)
    assert found.errors()[1] == pytest.approx(0, abs=1e-6)


def test_the_seed_decides():
    rng = np.random.default_rng(3)
    signal, background = sample(rng, 200, 2, [1.0]), sample(rng, 5000, 0, [1.0, 3.0])
    first, again, other = (bootstrap(signal, background, 20, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.network, again.network)
    assert (first.network != other.network).any()


def test_deep_thresholds_are_reached():
    # The cuts keep nearly all background, so that every block of it is drawn.
    signal = Sample(np.zeros(10), np.ones(10), np.ones(10, bool))
    score = np.arange(20_000.0)
    background = Sample(score, np.ones(20_000), score > 10)
    assert bootstrap(signal, background, 5, seed=0).network == pytest.approx(0.0)
    assert bootstrap(
        Sample(np.full(10, 100.0), np.ones(10), np.ones(10, bool)), background, 5, seed=0
    ).network == pytest.approx(1.0)


def test_no_signal_in_some_replica_leaves_the_ratio_unknown():
    signal = Sample(np.arange(50.0), np.ones(50), np.arange(50) == 0)
    background = Sample(np.arange(50.0), np.ones(50), np.arange(50) > 40)
    error, ratio_error = bootstrap(signal, background, 50, seed=0).errors()
    assert error > 0
    assert math.isnan(ratio_error)

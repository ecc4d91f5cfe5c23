import math

import pytest
import torch

from baryon_hep.loss.hep_cross_entropy import HepCrossEntropy

LOGITS = torch.tensor([[0.0, 0.0], [1.0, -1.0], [0.5, 2.0]])
BATCH = {
    "label": torch.tensor([1, 0, 1]),
    "weight": torch.tensor([3.0, 0.0, 10.0]),
    "normweight": torch.tensor([0.3, 0.0, 1.0]),
}
EACH = [math.log(2), math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1.5))]


@pytest.mark.parametrize(
    ("weighting", "weights"),
    [
        ("none", [1, 1, 1]),
        ("normweight", [0.3, 0.0, 1.0]),
        ("log", [math.log(4), 0.0, math.log(11)]),
    ],
)
def test_mean_of_weighted_cross_entropies(weighting, weights):
    terms = HepCrossEntropy(weighting=weighting)(LOGITS, BATCH)
    expected = sum(w * e for w, e in zip(weights, EACH, strict=True)) / 3
    assert terms["cross_entropy"].item() == pytest.approx(expected)


@pytest.mark.parametrize("weighting", ["none", "normweight", "log"])
def test_the_mean_over_two_halves_is_the_mean_over_all(weighting):
    loss = HepCrossEntropy(weighting=weighting)
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(8, 2, generator=random)
    batch = {
        "label": torch.arange(8) % 2,
        "weight": torch.rand(8, generator=random),
        "normweight": torch.rand(8, generator=random),
    }
    halves = [
        loss(logits[part], {name: values[part] for name, values in batch.items()})["cross_entropy"]
        for part in (slice(0, 4), slice(4, 8))
    ]
    assert torch.stack(halves).mean() == pytest.approx(loss(logits, batch)["cross_entropy"].item())


def test_confident_mistakes_stay_finite():
    terms = HepCrossEntropy(weighting="none")(
        torch.tensor([[1e4, -1e4]]), {"label": torch.tensor([1])}
    )
    assert terms["cross_entropy"].item() == pytest.approx(2e4)

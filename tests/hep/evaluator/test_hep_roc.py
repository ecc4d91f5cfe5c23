import math
import pickle
import time

import numpy as np
import pytest
import torch
from scipy.stats import beta

from baryon.errors import BaryonError
from baryon_hep.evaluator.hep_roc import HepRoc

OPTIONS = {
    "bootstrap": 50,
    "seed": 1,
    "minimum_effective_background": 10,
    "example_images": 0,
    "image_rows": "phi",
    "eta_max": None,
    "experiment": None,
    "energy_tev": None,
    "generator": None,
}
METRICS = {
    "cuts_false_positive_rate_limit",
    "cuts_effective_background_events",
    "lowest_false_positive_rate",
    "signal_events",
    "background_events",
    *(
        name + end
        for name in (
            "auc",
            "signal_efficiency",
            "cuts_signal_efficiency",
            "cuts_false_positive_rate",
            "efficiency_ratio",
            "signal_efficiency_at_lowest_rate",
            "background_rejection_at_30",
            "background_rejection_at_50",
        )
        for end in ("", "_low", "_high")
    ),
}


def evaluator(**options):
    return HepRoc(**{**OPTIONS, **options})


def events(n=4000, seed=0, cut=2.0):
    """Logits (n, 2) and a batch, of a network that is better than its cuts."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    latent = rng.normal(4.0 * label, 1.0)
    images = rng.random((n, 3, 8, 8)) * (rng.random((n, 3, 8, 8)) < 0.1)
    batch = {
        "inputs": torch.tensor(images, dtype=torch.float32),
        "keys": torch.arange(n),
        "label": torch.tensor(label),
        "weight": torch.tensor(np.where(label, 1.3, rng.choice([0.1, 1.0, 4.0], n))).float(),
        "psr": torch.tensor(latent + rng.normal(0, 1.5, n) > cut, dtype=torch.int32),
    }
    return torch.tensor(np.stack([-latent, latent], axis=1)).float(), batch


def rows(sample, index):
    output, batch = sample
    return output[index], {name: values[index] for name, values in batch.items()}


def evaluate(output, batch, **options):
    of = evaluator(**options)
    of.update(output, batch)
    return of.result()


def without(batch, name):
    return {key: value for key, value in batch.items() if key != name}


def test_the_whole_answer():
    found = evaluate(*events(), example_images=2)
    metrics = found.metrics
    assert set(metrics) == METRICS
    assert all(isinstance(value, float) for value in metrics.values())
    assert metrics["efficiency_ratio"] == pytest.approx(
        metrics["signal_efficiency"] / metrics["cuts_signal_efficiency"]
    )
    assert metrics["signal_efficiency"] > metrics["cuts_signal_efficiency"]
    assert metrics["signal_events"] + metrics["background_events"] == 4000
    assert set(found.figures) == {"roc", "scores", "events"}
    assert [row[0] for row in found.tables["working_point"].rows] == [
        "cuts",
        "network, as the cuts",
        "network, lowest rate",
    ]
    for name in ("efficiency_ratio", "cuts_false_positive_rate", "signal_efficiency"):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
    for table in found.tables.values():
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert found.summary.startswith("signal efficiency 0.")
    assert "\n" not in found.summary


def test_cuts_by_hand():
    output = torch.tensor([[0.0, s] for s in (5, 4, 2, 0, 3, 1, -1, -2)])
    batch = {
        "inputs": torch.zeros(8, 3, 4, 4),
        "keys": torch.arange(8),
        "label": torch.tensor([1, 1, 1, 1, 0, 0, 0, 0]),
        "weight": torch.tensor([1.0, 1, 1, 1, 2, 2, 2, 2]),
        "psr": torch.tensor([1, 0, 1, 0, 0, 1, 0, 0]),
    }
    metrics = evaluate(output, batch, minimum_effective_background=1).metrics
    assert metrics["cuts_signal_efficiency"] == pytest.approx(0.5)
    assert metrics["cuts_false_positive_rate"] == pytest.approx(0.25)
    # Of equal weights it is Beta(1 + 1, 3 + 1): one event of four.
    ends = [metrics[f"cuts_false_positive_rate_{end}"] for end in ("low", "high")]
    assert beta.cdf(ends, 2, 4) == pytest.approx([0.1587, 0.8413], abs=0.01)
    assert metrics["cuts_effective_background_events"] == pytest.approx(1.0)
    assert metrics["signal_efficiency"] == pytest.approx(0.75)
    assert metrics["efficiency_ratio"] == pytest.approx(1.5)
    assert metrics["auc"] == pytest.approx(13 / 16)
    assert math.isnan(metrics["background_rejection_at_30"])


def test_batches_ranks_and_order_do_not_matter():
    sample = events()
    whole = evaluate(*sample, example_images=2)
    order = np.random.default_rng(1).permutation(4000)
    ranks = [evaluator(example_images=2) for _ in range(3)]
    for number, start in enumerate(range(0, 4000, 250)):
        ranks[number % 3].update(*rows(sample, order[start : start + 250]))
    ranks[2].merge(pickle.loads(pickle.dumps(ranks[0].state())))  # noqa: S301
    ranks[2].merge(pickle.loads(pickle.dumps(ranks[1].state())))  # noqa: S301
    merged = ranks[2].result()
    assert merged.metrics == whole.metrics
    assert merged.summary == whole.summary
    assert merged.tables == whole.tables
    for a, b in zip(titles(merged), titles(whole), strict=True):
        assert a == b


def titles(found):
    return [axes.get_title() for axes in found.figures["events"].axes]


def test_sure_scores_are_not_tied():
    output, batch = events()
    sure = output * 20
    probability = torch.softmax(sure, dim=1)[:, 1]
    assert (probability == 1).sum() > 1000  # what single precision makes of them
    assert evaluate(sure, batch).metrics["auc"] == pytest.approx(
        evaluate(output, batch).metrics["auc"], abs=1e-9
    )


def test_equal_scores_are_a_guess():
    output, batch = events()
    metrics = evaluate(torch.zeros_like(output), batch).metrics
    assert metrics["auc"] == pytest.approx(0.5)
    assert metrics["signal_efficiency"] == pytest.approx(metrics["cuts_false_positive_rate"])
    assert metrics["background_rejection_at_50"] == pytest.approx(2.0)


def test_no_ratio_where_too_little_background_passes():
    found = evaluate(*events(cut=4.8))
    metrics = found.metrics
    assert 0 < metrics["cuts_effective_background_events"] < 10
    for name in ("efficiency_ratio", "signal_efficiency", "cuts_false_positive_rate"):
        assert math.isnan(metrics[name])
        assert math.isnan(metrics[f"{name}_high"])
    assert metrics["cuts_false_positive_rate_limit"] > 0
    assert "ratio" not in found.summary
    rate = metrics["lowest_false_positive_rate"]
    assert f"false-positive rate of {rate:g}, the lowest that this sample supports" in found.summary
    assert "evaluate on more background" in found.warnings[0]
    enough = evaluate(*events(cut=4.8), minimum_effective_background=1)
    assert "ratio" in enough.summary
    assert not [w for w in evaluate(*events(20_000, cut=0.0)).warnings if "no comparison" in w]


def sliced(passing):
    """Background in three slices of 200, of which `passing` pass the cuts; 400 signal events."""
    weight = np.repeat([1000.0, 10.0, 1.0, 0.1], [200, 200, 200, 400])
    label = np.repeat([0, 1], [600, 400])
    psr = np.zeros(1000, dtype=np.int32)
    psr[600:800] = 1
    for slice_number, events_passing in enumerate(passing):
        psr[200 * slice_number : 200 * slice_number + events_passing] = 1
    latent = np.random.default_rng(0).normal(3.0 * label)
    batch = {
        "inputs": torch.zeros(1000, 3, 1, 1),
        "keys": torch.arange(1000),
        "label": torch.tensor(label),
        "weight": torch.tensor(weight),
        "psr": torch.tensor(psr),
    }
    return torch.tensor(np.stack([-latent, latent], axis=1)), batch


def test_more_background_never_lowers_the_bound_by_a_jump():
    limits = [
        evaluate(*sliced(passing)).metrics["cuts_false_positive_rate_limit"]
        for passing in ((0, 0, 0), (0, 0, 1), (0, 0, 6), (0, 1, 6), (0, 20, 6), (1, 20, 6))
    ]
    assert limits == sorted(limits)
    assert limits[0] == pytest.approx(-math.log(0.05) * 1000 / 202_200)


def test_light_events_alone_are_no_effective_number():
    # Six events of the lightest slice pass: the heaviest, 99 % of the weight, is not known.
    found = evaluate(*sliced((0, 0, 6)))
    cells = [str(cell) for table in found.tables.values() for row in table.rows for cell in row]
    assert found.metrics["cuts_effective_background_events"] == 0
    assert "below 1" in cells
    assert "6 background events pass the cuts, effectively below 1" in found.warnings[0]
    assert "ratio" not in found.summary


def test_without_the_cut_flag_the_curve_still_comes():
    output, batch = events()
    found = evaluate(output, without(batch, "psr"))
    assert "auc" in found.metrics
    assert "signal_efficiency" not in found.metrics
    assert not any(name.startswith(("cuts", "efficiency")) for name in found.metrics)
    assert [row[0] for row in found.tables["working_point"].rows] == ["network, lowest rate"]
    assert any("psr" in warning for warning in found.warnings)
    assert "background rejection" in found.summary


def test_a_cut_flag_on_some_events_is_no_cut_flag():
    sample = events()
    half = evaluator()
    half.update(*rows(sample, slice(0, 1000)))
    output, batch = rows(sample, slice(1000, 4000))
    half.update(output, without(batch, "psr"))
    assert any("3000 of 4000" in warning for warning in half.result().warnings)


def test_no_background_passes_the_cuts():
    output, batch = events()
    batch["psr"] = batch["psr"] * batch["label"]
    found = evaluate(output, batch)
    assert set(found.metrics) == METRICS
    assert found.metrics["cuts_effective_background_events"] == 0
    for name in ("signal_efficiency", "efficiency_ratio", "cuts_false_positive_rate"):
        assert math.isnan(found.metrics[name])
    assert any("0 background events pass the cuts" in warning for warning in found.warnings)
    assert "95 %" in found.summary
    assert "below" in found.tables["working_point"].rows[0][3]
    assert "nan" not in found.summary


def test_no_signal_passes_the_cuts():
    output, batch = events()
    batch["psr"] = batch["psr"] * (1 - batch["label"])
    found = evaluate(output, batch)
    assert found.metrics["cuts_effective_background_events"] > 10
    assert math.isnan(found.metrics["efficiency_ratio"])
    assert any("ratio" in warning for warning in found.warnings)


def test_rejection_without_background_is_a_limit():
    batch = events()[1]
    perfect = torch.nn.functional.one_hot(batch["label"], 2).float()
    found = evaluate(perfect, batch)
    assert found.metrics["auc"] == 1
    assert math.isnan(found.metrics["background_rejection_at_50"])
    assert "above" in found.tables["background_rejection"].rows[1][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o, b: b.update(label=torch.ones(4000)), "none is background"),
        (lambda o, b: b.update(label=torch.zeros(4000)), "none is signal"),
        (lambda o, b: b.update(label=torch.full((4000,), 2)), "neither 0 nor 1"),
        (lambda o, b: o[5].fill_(math.nan), "event 5 .* not finite"),
        (lambda o, b: o[5].fill_(math.inf), "event 5 .* not finite"),
        (lambda o, b: o[5, 1].fill_(-math.inf), "event 5 .* not finite"),
        (lambda o, b: b["weight"][3].fill_(-1), "event 3 .* negative weight"),
        (lambda o, b: b["weight"][3].fill_(math.nan), "event 3 .* weight that is not finite"),
        (lambda o, b: b.update(keys=torch.zeros(4000, dtype=torch.int64)), "came twice"),
    ],
)
def test_what_no_curve_can_be_drawn_from(change, message):
    output, batch = events()
    change(output, batch)
    with pytest.raises(BaryonError, match=message) as error:
        evaluate(output, batch)
    assert "\n" not in str(error.value)


def test_nothing_taken_in():
    with pytest.raises(BaryonError, match="of 0 events"):
        evaluator().result()


@pytest.mark.parametrize("shape", [(4000,), (4000, 1), (4000, 3)])
def test_other_outputs_than_two_logits(shape):
    with pytest.raises(BaryonError, match="logits of shape"):
        evaluator().update(torch.zeros(shape), events()[1])


@pytest.mark.parametrize("name", ["label", "weight"])
def test_a_batch_without_what_is_needed(name):
    output, batch = events()
    with pytest.raises(BaryonError, match=f"needs '{name}'"):
        evaluator().update(output, without(batch, name))


@pytest.mark.parametrize(
    "option",
    [
        {"bootstrap": 1},
        {"seed": -1},
        {"example_images": -1},
        {"minimum_effective_background": 0.5},
    ],
)
def test_options_out_of_range(option):
    with pytest.raises(BaryonError, match=next(iter(option))):
        evaluator(**option)


def test_logits_in_half_precision_with_a_gradient():
    output, batch = events()
    found = evaluate(output.bfloat16().requires_grad_(), batch)
    assert found.metrics["auc"] > 0.9


@pytest.mark.slow
@pytest.mark.extended
def test_a_million_events_take_seconds():
    output, batch = events(1_000)
    many = {"inputs": torch.zeros(1_000_000, 3, 1, 1), "keys": torch.arange(1_000_000)}
    many |= {name: batch[name].repeat(1000) for name in ("label", "weight", "psr")}
    noise = torch.randn(1_000_000, 2, generator=torch.Generator().manual_seed(0))
    of = evaluator(bootstrap=200, example_images=0)
    of.update(output.repeat(1000, 1) + noise, many)
    start = time.process_time()
    of.result()
    assert time.process_time() - start < 30  # 4 s at leisure

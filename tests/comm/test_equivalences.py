"""Strategies that must give the same weights do, on ranks that really run."""

import json

import pytest
import torch

from baryon.testing.toy_training import STEPS, Toy, one_step, train
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_comm.serial import Serial

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

ADAM = {"optimizer": "adam", "schedule": "cosine", "warmup_steps": 2, "weight_decay": 0.01}
PLAIN = {"momentum": 0.0}
AVERAGING = {"every": 1, "outer_learning_rate": 1.0, "outer_momentum": 0.0}
ON_TWO = {
    "sync": {"comm": "sync"},
    "sync, Adam": {"comm": "sync", "train": ADAM},
    "sync, plain": {"comm": "sync", "train": PLAIN},
    "hybrid, no server": {
        "comm": "hybrid",
        "train": ADAM,
        "options": {"groups": 1, "servers": 0},
    },
    "slow": {"comm": "sync", "slow": 1, "options": {"deadline_s": 1.5}},
    "gloo": {"comm": "sync", "options": {"transport": "torch"}},
    "bf16": {"comm": "sync", "options": {"wire": "bf16"}},
    "bf16 by gloo": {"comm": "sync", "options": {"wire": "bf16", "transport": "torch"}},
    "averaging": {"comm": "local_sgd", "train": PLAIN, "options": AVERAGING},
}
APART = {
    f"{way}, apart": ON_TWO[way] | {"apart": True}
    for way in ("sync, Adam", "gloo", "bf16", "bf16 by gloo", "averaging")
}
ON_TWO |= APART
LATE = ("plain", "delay_compensation", "ringmaster")
ON_TWO |= {
    f"async, {staleness_policy}": {
        "comm": "async",
        "train": ADAM,
        "options": {"staleness_policy": staleness_policy, "max_staleness": 1},
    }
    for staleness_policy in LATE
}
ON_THREE = {
    "sync": {"comm": "sync", "train": ADAM, "options": {"check_every": 1}},
    "sync again": {"comm": "sync", "train": ADAM},
}
GROUPS = {"groups": 2, "servers": 1, "check_every": 1}
ON_FIVE = {
    "one group": {
        "comm": "hybrid",
        "train": ADAM,
        "options": {"groups": 1, "servers": 3, "check_every": 1},
    },
    "two groups": {"comm": "hybrid", "options": GROUPS},
}
ON_FIVE["one group, apart"] = ON_FIVE["one group"] | {"apart": True}


def on_ranks(train_toy, tmp_path_factory, ranks: int, ways) -> dict[str, list[dict]]:
    """What each worker left, by way: weights, measures; the first also the findings."""
    folder = tmp_path_factory.mktemp(f"ranks-{ranks}")
    done = train_toy(folder, ranks, ways)
    assert done.returncode == 0, done.stderr
    left = {way: [torch.load(p) for p in sorted((folder / way).glob("*.pt"))] for way in ways}
    for way, workers in left.items():
        workers[0]["findings"] = json.loads((folder / way / "findings.json").read_text())
    return left


@pytest.fixture(scope="module")
def two(train_toy, tmp_path_factory):
    return on_ranks(train_toy, tmp_path_factory, 2, ON_TWO)


@pytest.fixture(scope="module")
def three(train_toy, tmp_path_factory):
    return on_ranks(train_toy, tmp_path_factory, 3, ON_THREE)


@pytest.fixture(scope="module")
def five(train_toy, tmp_path_factory):
    return on_ranks(train_toy, tmp_path_factory, 5, ON_FIVE)


def weights(workers) -> list[torch.Tensor]:
    return [worker["weights"] for worker in workers]


def serial_weights(**changes) -> torch.Tensor:
    toy, comm = Toy(), Serial()
    comm.start(toy.model, ScheduledOptimizerFactory(train(**changes), STEPS, STEPS))
    for step in range(STEPS):
        one_step(toy, comm, step)
    return toy.weights()


def all_equal(tensors) -> bool:
    return all(torch.equal(tensors[0], other) for other in tensors[1:])


def test_sync_is_serial_on_the_union_batch(two, three):
    for ranks, workers in ((2, two["sync, Adam"]), (3, three["sync"])):
        assert len(workers) == ranks
        assert all_equal(weights(workers))
        assert torch.allclose(weights(workers)[0], serial_weights(**ADAM), atol=1e-5)


def test_sync_is_bitwise_the_same_from_run_to_run(three):
    assert all_equal(weights(three["sync"]) + weights(three["sync again"]))


def test_hybrid_with_one_group_is_sync(two, five):
    assert all_equal(weights(two["hybrid, no server"]) + weights(two["sync, Adam"]))
    assert all_equal(weights(five["one group"]) + weights(two["sync, Adam"]))


@pytest.mark.parametrize("staleness_policy", LATE)
def test_async_with_one_worker_is_serial(two, staleness_policy):
    (worker,) = two[f"async, {staleness_policy}"]
    assert torch.equal(worker["weights"], serial_weights(**ADAM))
    assert worker["measures"]["staleness"] == 0
    assert worker["findings"]["staleness"] == 0


def test_averaging_at_every_step_of_plain_sgd_is_sync(two):
    local, sync = weights(two["averaging"]), weights(two["sync, plain"])
    assert torch.equal(*local)
    assert torch.allclose(local[0], sync[0], atol=1e-5)


def test_gloo_gives_what_mpi_gives(two):
    assert all_equal(weights(two["gloo"]) + weights(two["sync"]))


@pytest.mark.parametrize("way", ["bf16", "bf16 by gloo"])
def test_bf16_on_the_wire_is_close(two, way):
    exact, short = weights(two["sync"])[0], weights(two[way])
    assert torch.equal(*short)
    assert not torch.equal(short[0], exact)
    assert torch.allclose(short[0], exact, atol=0.02)


def test_gradients_may_lie_apart_from_what_mpi_sends(two, five):
    """As on a GPU, where sums and updates are made on the device."""
    for way in APART:
        assert all_equal(weights(two[way]) + weights(two[way.removesuffix(", apart")])), way
    assert all_equal(weights(five["one group, apart"]) + weights(five["one group"]))


def test_a_rank_with_other_weights_is_found(train_toy, tmp_path):
    spoilt = {"comm": "sync", "options": {"check_every": 1}, "spoil": 1}
    done = train_toy(tmp_path, 2, {"spoilt": spoilt})
    assert done.returncode
    assert "after step 7 ranks [1] hold other weights than rank 0" in done.stderr


def test_a_rank_that_computes_for_long_is_waited_for_and_named(two):
    """Longer than the deadline; it answers the health check."""
    assert all_equal(weights(two["slow"]) + weights(two["sync"]))
    (warning,) = two["slow"][0]["findings"]["warnings"]
    assert warning.startswith("rank 1 (worker, on ")
    assert "is a straggler" in warning


def test_groups_are_stale_to_one_another(five):
    workers = five["two groups"]
    assert torch.equal(workers[0]["weights"], workers[1]["weights"])
    assert workers[0]["findings"]["staleness"] > 0
    measures = workers[0]["measures"]
    assert 0 < measures["updates_per_step"] <= 2 * STEPS
    by_layer = [value for name, value in measures.items() if name.startswith("staleness_")]
    assert measures["staleness"] == pytest.approx(sum(by_layer) / len(by_layer))


@pytest.mark.gpu
def test_every_strategy_trains_on_a_gpu_as_on_a_cpu(train_toy, tmp_path_factory):
    """Two ranks may share one."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    names = ("sync, Adam", "sync, plain", "bf16", "averaging", "async, plain", "hybrid, no server")
    ways = {name: ON_TWO[name] for name in names}
    ways |= {f"{name}, GPU": way | {"device": "cuda"} for name, way in ways.items()}
    left = on_ranks(train_toy, tmp_path_factory, 2, ways)
    for name in names:
        on_gpu, on_cpu = weights(left[f"{name}, GPU"]), weights(left[name])
        assert all_equal(on_gpu), name
        assert torch.allclose(on_gpu[0], on_cpu[0], atol=0.02 if name == "bf16" else 1e-4), name


@pytest.mark.gpu
@pytest.mark.parametrize("wire", ["fp32", "bf16"])
def test_nccl_sums_as_mpi_does(train_toy, tmp_path_factory, wire):
    if torch.cuda.device_count() < 2:
        pytest.skip("NCCL wants a GPU for each of two ranks")
    ways = {
        transport: {
            "comm": "sync",
            "device": "cuda",
            "options": {"transport": transport, "wire": wire},
        }
        for transport in ("mpi", "auto")
    }
    left = on_ranks(train_toy, tmp_path_factory, 2, ways)
    assert all_equal(weights(left["auto"]))
    tolerance = 1e-5 if wire == "fp32" else 0.02
    assert torch.allclose(weights(left["auto"])[0], weights(left["mpi"])[0], atol=tolerance)

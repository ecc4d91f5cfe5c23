"""Strategies that must give the same weights do, on ranks that really run."""

import pytest
import torch

from baryon.conformance import STEPS, Toy, one_step, train
from baryon.training.optimizers import Updates
from baryon_comm.serial import Serial

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

ADAM = {"optimizer": "adam", "schedule": "cosine", "warmup_steps": 2, "weight_decay": 0.01}


def weights(workers) -> list[torch.Tensor]:
    return [worker["weights"] for worker in workers]


def serial_weights(**changes) -> torch.Tensor:
    toy, comm = Toy(), Serial()
    comm.start(toy.model, Updates(train(**changes), STEPS, STEPS))
    for step in range(STEPS):
        one_step(toy, comm, step)
    return toy.weights()


def all_equal(tensors) -> bool:
    return all(torch.equal(tensors[0], other) for other in tensors[1:])


def test_sync_is_serial_on_the_union_batch_and_the_same_from_run_to_run(on_ranks):
    first = weights(on_ranks(3, "sync", train=ADAM, options={"check_every": 1}))
    again = weights(on_ranks(3, "sync", train=ADAM))
    assert len(first) == 3
    assert all_equal(first + again)
    assert torch.allclose(first[0], serial_weights(**ADAM), atol=1e-5)


def test_hybrid_with_one_group_is_sync(on_ranks):
    options = {"groups": 1, "servers": 2, "check_every": 1}
    hybrid = weights(on_ranks(4, "hybrid", train=ADAM, options=options))
    assert all_equal(hybrid + weights(on_ranks(2, "sync", train=ADAM)))


def test_hybrid_with_one_group_and_no_server_is_sync(on_ranks):
    options = {"groups": 1, "servers": 0}
    hybrid = weights(on_ranks(2, "hybrid", train=ADAM, options=options))
    assert all_equal(hybrid + weights(on_ranks(2, "sync", train=ADAM)))


@pytest.mark.parametrize("remedy", ["plain", "delay_compensation", "ringmaster"])
def test_async_with_one_worker_is_serial(on_ranks, remedy):
    options = {"servers": 1, "remedy": remedy, "max_staleness": 1}
    left = on_ranks(2, "async", train=ADAM, options=options)
    assert torch.equal(left[0]["weights"], serial_weights(**ADAM))
    assert left[0]["measures"]["staleness"] == 0
    assert left[0]["findings"]["staleness"] == 0


def test_averaging_at_every_step_of_plain_sgd_is_sync(on_ranks):
    plain = {"momentum": 0.0}
    options = {"every": 1, "outer_learning_rate": 1.0, "outer_momentum": 0.0}
    local = weights(on_ranks(2, "local_sgd", train=plain, options=options))
    assert torch.equal(*local)
    assert torch.allclose(local[0], weights(on_ranks(2, "sync", train=plain))[0], atol=1e-5)


def test_gloo_gives_what_mpi_gives(on_ranks):
    gloo = weights(on_ranks(2, "sync", options={"transport": "torch"}))
    assert all_equal(gloo + weights(on_ranks(2, "sync")))


def test_bf16_on_the_wire_is_close(on_ranks):
    exact = weights(on_ranks(2, "sync"))[0]
    for transport in ("mpi", "torch"):
        short = weights(on_ranks(2, "sync", options={"wire": "bf16", "transport": transport}))
        assert torch.equal(*short)
        assert not torch.equal(short[0], exact)
        assert torch.allclose(short[0], exact, atol=0.02)


def test_a_rank_with_other_weights_is_found(on_ranks):
    error = on_ranks(2, "sync", options={"check_every": 1}, spoil=1, fails=True)
    assert "after step 6 ranks [1] hold other weights than rank 0" in error


def test_groups_are_stale_to_one_another(on_ranks):
    left = on_ranks(5, "hybrid", options={"groups": 2, "servers": 1, "check_every": 1})
    assert torch.equal(left[0]["weights"], left[1]["weights"])
    assert left[0]["findings"]["staleness"] > 0
    assert 0 < left[0]["measures"]["updates_per_step"] <= 2 * STEPS

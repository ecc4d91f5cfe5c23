"""Compare a step of `comm=sync` with PyTorch's DistributedDataParallel over gloo.

    python benchmarks/sync_step.py [--ranks 2] [--size 64] [--batch 8] [--turns 8]

`hep_cnn`, Adam, float32, one thread a rank, on the CPU. The same processes train the same network
on the same batch in both ways, which take turns of a few steps each.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from ranks.launching import communicator, on_ranks, task_of_rank
from ranks.learner import Learner
from torch.nn.parallel import DistributedDataParallel

from baryon.interfaces import Communicator

STEPS_OF_A_TURN = 5


def engine(comm: Communicator, learner: Learner, ranks: int) -> Callable[[int], None]:
    """Return a step through the communicator."""
    comm.start(learner.model, learner.updates())

    def step(number: int) -> None:
        comm.begin(number, learner.batch, learner.batch * ranks, stop=False)
        learner.backward()
        comm.step()

    return step


def ddp(comm: Communicator, learner: Learner) -> Callable[[int], None]:
    """Return a step as in PyTorch's tutorial."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = comm.broadcast(free.getsockname()[1])
    rank = comm.shard.rank
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=comm.shard.group_size)
    model = DistributedDataParallel(learner.model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step(number: int) -> None:
        del number
        optimizer.zero_grad()
        learner.backward(model)
        optimizer.step()

    return step


def turn(step: Callable[[int], None], first: int, comm: Communicator) -> float:
    """Return the seconds of a step, averaged over a turn."""
    comm.all_reduce_sum({})
    start = time.perf_counter()
    for number in range(first, first + STEPS_OF_A_TURN):
        step(number)
    comm.all_reduce_sum({})
    return (time.perf_counter() - start) / STEPS_OF_A_TURN


def as_rank(size: int, batch: int, turns: int, **options: Any) -> None:
    """Measure both in turn."""
    comm = communicator("sync", **options)
    members = comm.shard.group_size
    engine_step = engine(comm, Learner(size=size, batch=batch), members)
    ddp_step = ddp(comm, Learner(size=size, batch=batch))
    times = []
    for number in range(turns + 1):
        first = number * STEPS_OF_A_TURN
        times.append((turn(engine_step, first, comm), turn(ddp_step, first, comm)))
    exposed = comm.metrics()["exposed_ms"]
    if comm.is_leader:
        print(json.dumps({"times": times[1:], "exposed_ms": exposed}))  # the first warms up
    dist.destroy_process_group()
    comm.close()


def measure(ranks: int, size: int, batch: int, turns: int) -> None:
    """Measure on some ranks; print one line of JSON."""
    times = on_ranks(__file__, ranks, size=size, batch=batch, turns=turns)["times"]
    step = statistics.median(engine_time for engine_time, _ in times)
    ratio = statistics.median(ddp_time / engine_time for engine_time, ddp_time in times)
    print(
        json.dumps(
            {
                "name": f"step of sync on {ranks} ranks, hep_cnn at {size}, batch {batch} a rank",
                "value": round(1e3 * step, 1),
                "unit": "ms",
                "alternative": "DistributedDataParallel over gloo",
                "ratio": round(ratio, 3),
                "goal": round(1 / 0.9, 2),
            }
        )
    )


def main() -> None:
    """Measure on each number of ranks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", type=int, nargs="*", default=[2, 4])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=8)
    options = parser.parse_args()
    for ranks in options.ranks:
        measure(ranks, options.size, options.batch, options.turns)


if __name__ == "__main__":
    if (task := task_of_rank()) is not None:
        as_rank(**task)
    else:
        main()

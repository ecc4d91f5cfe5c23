"""Measure what a parameter server sustains, against a plain copy of as many bytes in memory.

    python benchmarks/server.py [--kib 576 16384] [--groups 2] [--seconds 4]

One server, some workers that do nothing but send a layer's gradient and wait for its weights; SGD
with momentum. 576 KiB is a convolution of the HEP network. Bytes are those of the gradients.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from ranks.launching import communicator, on_ranks, task_of_rank
from torch import nn

from baryon.testing.toy_training import train
from baryon.training.optimizers import ScheduledOptimizerFactory

MANY = 10**6


class OneLayer(nn.Module):
    """A layer whose weights take some KiB."""

    def __init__(self, kib: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(kib * 256))


def as_rank(kib: int, seconds: float) -> None:
    """Measure the updates a second of all workers."""
    comm = communicator("async", servers=1)
    if comm.is_server:
        comm.serve()
        comm.close()
        return
    model = OneLayer(kib)
    gradient = torch.full_like(model.weight, 1e-6)
    comm.start(model, ScheduledOptimizerFactory(train(), MANY, MANY))
    comm.all_reduce_sum({})
    step, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        comm.begin(step, 1, comm.shard.num_groups, stop=False)
        model.weight.backward(gradient)  # type: ignore[no-untyped-call]
        comm.step()
        step += 1
    rate = comm.all_reduce_sum({"rate": step / (time.perf_counter() - start)})["rate"]
    if comm.is_leader:
        print(json.dumps(rate))
    comm.close()


def copies(kib: int, seconds: float = 1.0) -> float:
    """Return the plain copies of as many bytes a second."""
    source, target = np.zeros(kib * 256, np.float32), np.empty(kib * 256, np.float32)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        np.copyto(target, source)
        count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print a line of JSON for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kib", type=int, nargs="*", default=[576, 16384])
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    for kib in options.kib:
        updates = on_ranks(__file__, options.groups + 1, kib=kib, seconds=options.seconds)
        plain = copies(kib)
        gib = kib / 2**20
        figures = {
            "name": f"parameter server, layer of {kib} KiB, {options.groups} groups: "
            f"{updates:.0f} updates/s",
            "value": round(updates * gib, 3),
            "unit": "GiB/s",
            "alternative": f"copy in memory, {plain * gib:.2f} GiB/s",
            "ratio": round(updates / plain, 3),
            "goal": 0.02,
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    if (task := task_of_rank()) is not None:
        as_rank(**task)
    else:
        main()

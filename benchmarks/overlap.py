"""Measure exposed communication of `comm=sync`: gradients sent during backward, or after it.

    python benchmarks/overlap.py [--ranks 2] [--size 64] [--batch 8] [--turns 8]

Exposed is the time that a step waits for messages after its backward. `hep_cnn`, Adam, float32, one
thread a rank. Both ways take turns in the same processes.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from ranks.launching import communicator, on_ranks, task_of_rank
from ranks.learner import Learner

STEPS_OF_A_TURN = 5


def as_rank(size: int, batch: int, turns: int) -> None:
    """Measure the exposed milliseconds of a step with early and with late gradients in turn."""
    ways = []
    for early in (True, False):
        comm, learner = communicator("sync", overlap=early), Learner(size=size, batch=batch)
        comm.start(learner.model, learner.updates())
        ways.append((comm, learner))
    exposed_by_turn = []
    for turn in range(turns + 1):
        exposed = []
        for comm, learner in ways:
            comm.all_reduce_sum({})
            comm.metrics()
            for step in range(turn * STEPS_OF_A_TURN, (turn + 1) * STEPS_OF_A_TURN):
                comm.begin(step, batch, batch * comm.shard.group_size, stop=False)
                learner.backward()
                comm.step()
            rank_ms = comm.metrics()["exposed_ms"]
            exposed.append(comm.all_reduce_sum({"ms": rank_ms / comm.shard.group_size})["ms"])
        exposed_by_turn.append(exposed)
    if ways[0][0].is_leader:
        print(json.dumps(exposed_by_turn[1:]))  # the first warms up
    for comm, _ in ways:
        comm.close()


def main() -> None:
    """Run on ranks and print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=8)
    options = parser.parse_args()
    task: dict[str, Any] = {k: v for k, v in vars(options).items() if k != "ranks"}
    turns = on_ranks(__file__, options.ranks, **task)
    figures = {
        "name": f"exposed communication of sync on {options.ranks} ranks, hep_cnn at "
        f"{options.size}, batch {options.batch} a rank",
        "value": round(statistics.median(early for early, _ in turns), 2),
        "unit": "ms a step",
        "alternative": "comm.overlap=false",
        "ratio": round(statistics.median(late / early for early, late in turns), 2),
        "goal": 1.0,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if (task := task_of_rank()) is not None:
        as_rank(**task)
    else:
        main()

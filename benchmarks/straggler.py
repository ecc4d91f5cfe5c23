"""Compare `comm=hybrid` (2 groups x 2 workers + 2 servers) with `comm=sync` on 4 ranks.

    python benchmarks/straggler.py [--size 224] [--batch 2] [--filters 128] [--seconds 12]

Once with all ranks alike, and once with one of them at half its speed: in each step it rests as
long as a step took while all were alike (with fewer cores than ranks its own computing would hide
behind that of the others). `hep_cnn` (without options the paper's, 594,178 parameters), Adam,
float32, one thread a rank. Jobs of both strategies take turns. Counted are the images of a time in
which groups do not meet, as they do at the end of an epoch. The last line is that of the slow rank.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from ranks.launching import communicator, on_ranks, task_of_rank
from ranks.learner import Learner

WORKERS, GROUPS, SERVERS = 4, 2, 2
TURNS = 3
WARM_UP, MEASURED = 3, 13


def as_rank(comm: str, options: dict[str, Any], slow: bool, seconds: float, **learner: Any) -> None:
    """Measure the images a second of all workers together."""
    communication = communicator(comm, **options)
    if communication.is_server:
        communication.serve()
        communication.close()
        return
    network = Learner(**learner)
    communication.start(network.model, network.updates())
    shard = communication.shard
    late = slow and (shard.group, shard.rank) == (shard.num_groups - 1, shard.group_size - 1)
    images, step, usual, stopping = 0, 0, 0.0, False
    start = end = time.perf_counter()
    while not stopping:
        if step in (WARM_UP, MEASURED):
            usual = (time.perf_counter() - start) / (MEASURED - WARM_UP)
            communication.all_reduce_sum({})
            images, start = 0, time.perf_counter()
        over = step > MEASURED and time.perf_counter() - start > seconds
        communication.begin(step, network.batch, network.batch * WORKERS, stop=over)
        network.backward()
        if late and step >= MEASURED:
            time.sleep(usual)
        stopping = communication.step()
        if not over:
            images, end = images + network.batch, time.perf_counter()
        step += 1
    rate = communication.all_reduce_sum({"rate": images / (end - start)})["rate"]
    if communication.is_leader:
        print(json.dumps(rate))
    communication.close()


def compare(slow: bool, task: dict[str, Any], goal: float) -> None:
    """Run jobs of both strategies in turn; print one line of JSON."""
    hybrid, sync = [], []
    for _ in range(TURNS):
        hybrid.append(
            on_ranks(
                __file__,
                WORKERS + SERVERS,
                comm="hybrid",
                options={"groups": GROUPS, "servers": SERVERS},
                slow=slow,
                **task,
            )
        )
        sync.append(on_ranks(__file__, WORKERS, comm="sync", options={}, slow=slow, **task))
    figures = {
        "name": "hybrid 2x2+2, " + ("one rank at half speed" if slow else "all ranks alike"),
        "value": round(statistics.median(hybrid), 1),
        "unit": "images/s",
        "alternative": f"sync on 4, {statistics.median(sync):.1f} images/s",
        "ratio": round(statistics.median(h / s for h, s in zip(hybrid, sync, strict=True)), 2),
        "goal": goal,
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Measure with all ranks alike, then with a slow one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--filters", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=12)
    task = vars(parser.parse_args())
    compare(False, task, 1.0)
    compare(True, task, 1.3)


if __name__ == "__main__":
    if (rank_task := task_of_rank()) is not None:
        as_rank(**rank_task)
    else:
        main()

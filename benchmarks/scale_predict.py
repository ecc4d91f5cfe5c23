"""Measure the model of the machine: sampling against discrete events.

    python benchmarks/scale_predict.py [--nodes 10000] [--steps 1000]

Both predict `hep_cnn` on `cori_knl` (its number of nodes raised), 8 images a node: in 10 groups,
and in groups of one worker, for which fewer events are simulated and their time is scaled up.
"""

from __future__ import annotations

import argparse
import json
import time

from events.simulation import simulate

from baryon.scaling.job import Job
from baryon.scaling.machine import read_machine
from baryon.scaling.network import read_network
from baryon.scaling.prediction import Settings, predict

GOAL_SECONDS = 60
EVENT_STEPS_OF_SINGLE_WORKERS = 10


def main() -> None:
    """Print a line of JSON for each number of groups."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    network = read_network("hep_cnn")
    machine = read_machine("cori_knl", network.name).changed(nodes=2.0 * given.nodes)
    for groups in (10, given.nodes):
        job = Job(given.nodes, groups, 6)
        started = time.perf_counter()
        predicted = predict(machine, network, job, Settings(steps=given.steps))
        sampled = time.perf_counter() - started
        steps = given.steps if groups == 10 else EVENT_STEPS_OF_SINGLE_WORKERS
        started = time.perf_counter()
        simulated = simulate(machine, network, job, steps)
        by_events = (time.perf_counter() - started) * given.steps / steps
        row = {
            "name": f"{given.nodes} nodes x {given.steps} steps in {groups} groups, sampled",
            "value": round(sampled, 2),
            "unit": "s",
            "alternative": f"discrete events, {by_events:.1f} s",
            "ratio": round(by_events / sampled, 2),
            "goal": f"{GOAL_SECONDS} s",
            "step_s": [predicted.step, simulated.step],
            "staleness": [predicted.staleness, simulated.staleness],
            "server_load": [predicted.server_load, simulated.server_load],
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

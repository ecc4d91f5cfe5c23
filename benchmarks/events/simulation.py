"""Simulate hybrid groups and their servers event by event, with first-come-first-served queues."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from baryon.scaling import messages
from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.node import node_step
from baryon.scaling.servers import place_layers


@dataclass(frozen=True)
class Outcome:
    """Mean seconds of a step, mean staleness, and the load of the busiest server."""

    step: float
    staleness: float
    server_load: float


def simulate(machine: Machine, network: Network, job: Job, steps: int, seed: int = 1) -> Outcome:
    """Simulate so many steps of each group; nodes keep their speed for the whole of it."""
    random = np.random.default_rng(seed)
    node = node_step(machine, network, job.samples, job.workers)
    spread, jitter = machine["speed_spread"], machine["jitter"]
    factor = np.exp(spread * random.standard_normal((job.groups, job.group_size)))
    own = node.computing * factor / factor.mean()
    servers = place_layers(machine, network, job.servers)
    layers = [n for n in reversed(range(len(network.layers))) if network.layers[n].nbytes]
    inside = [messages.to_root(machine, layer.nbytes, job.group_size) for layer in network.layers]
    there = [messages.send(machine, layer.nbytes) for layer in network.layers]
    ready = node.gradient_ready()
    free = [0.0] * job.servers
    busy = [0.0] * job.servers
    version = [0] * len(network.layers)
    read = [[0] * len(network.layers) for _ in range(job.groups)]
    missing = [0] * job.groups
    done = [0] * job.groups
    missed, applied, finish = 0, 0, 0.0
    latest = [0.0] * job.groups
    START = -1  # noqa: N806  of a step; other events are layers that arrive at their server
    events = [(0.0, group, group, START) for group in range(job.groups)]
    serial = job.groups
    while events:
        now, _, group, layer = heapq.heappop(events)
        if layer == START:
            late = own[group] + jitter * (random.standard_exponential(job.group_size) - 1)
            delay = max(float(late.max()) - node.computing, -node.computing)
            engine = 0.0
            for number in layers:
                engine = max(engine, ready[number]) + inside[number] + there[number]
                heapq.heappush(events, (now + delay + engine, serial, group, number))
                serial += 1
            missing[group] = len(layers)
            continue
        home = servers.home[layer]
        free[home] = max(free[home], now) + servers.service[layer]
        busy[home] += servers.service[layer]
        missed += version[layer] - read[group][layer]
        version[layer] += 1
        read[group][layer] = version[layer]
        applied += 1
        latest[group] = max(latest[group], free[home] + there[layer] + inside[layer])
        missing[group] -= 1
        if not missing[group]:
            # The backward pass may end after the last layer has come back.
            done[group] += 1
            finish = max(finish, latest[group])
            if done[group] < steps:
                heapq.heappush(events, (latest[group], serial, group, START))
                serial += 1
    step = float(np.mean(latest)) / steps
    return Outcome(step, missed / applied, max(busy) / finish)

"""Predict a job on a machine: throughput, speed-up, FLOP/s, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baryon.errors import BaryonError
from baryon.scaling.failures import Failures, failures
from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.node import NodeStep, beyond_measured, node_step
from baryon.scaling.sampling import slowest_delays
from baryon.scaling.servers import Servers, place_layers
from baryon.scaling.staleness import staleness
from baryon.scaling.timeline import exposed_all_reduce, exposed_by_servers

Steps = np.ndarray[tuple[int, int], np.dtype[np.float64]]


PARTS = (
    *("input", "forward", "backward", "optimizer"),
    *("stragglers", "communication", "checkpoint"),
)
"""Where the time of a step goes: input that is not hidden, computing, a worker's own optimizer;
waiting for the slowest worker, for messages after backward, for checkpoints."""


MOST_STEPS = 10**8
"""Steps of all groups that are drawn: they take a few times so many numbers of memory."""


@dataclass(frozen=True)
class Settings:
    """How a prediction is made.

    Attributes
    ----------
    steps : steps that are drawn
    window : steps of which sustained FLOP/s are the best (the paper: 100 for HEP, 10 for climate)
    hours : length of the job, for failures
    seed : of the random numbers

    """

    steps: int = 1000
    window: int = 100
    hours: float = 24
    seed: int = 1


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a job.

    Attributes
    ----------
    job : the job
    step : mean seconds of a step of a group, checkpoints included
    samples_per_second : of all groups together
    speed_up : throughput over that of one node
    efficiency : speed-up over the number of workers
    flops, peak_flops, sustained_flops : FLOP/s: mean; the fastest step; the best window
    parts : mean seconds of each of `PARTS` in a step; together they are the step
    staleness, late_staleness : mean and 95th percentile of the updates that a gradient misses
    server_load : share of its time that the busiest server works
    failures : what failing nodes cost
    extrapolated : whether a node has fewer or more samples than the machine's file covers

    """

    job: Job
    step: float
    samples_per_second: float
    speed_up: float
    efficiency: float
    flops: float
    peak_flops: float
    sustained_flops: float
    parts: Mapping[str, float]
    staleness: float
    late_staleness: float
    server_load: float
    failures: Failures
    extrapolated: bool


def predict(
    machine: Machine,
    network: Network,
    job: Job,
    settings: Settings = Settings(),
    *,
    single_samples: float | None = None,
) -> Prediction:
    """Predict a job.

    Parameters
    ----------
    machine, network, job, settings
        What is predicted, and how.
    single_samples
        Samples of the single node that speed-up refers to; as many as of each worker if None.

    Raises
    ------
    BaryonError
        If the machine has fewer nodes, there are more servers than layers, or the machine was
        measured with another network.

    """
    if job.workers + job.servers > machine["nodes"]:
        raise BaryonError(
            f"machine {machine.name!r} has {machine['nodes']:,.0f} nodes, fewer than "
            f"{job.workers} workers and {job.servers} servers"
        )
    if settings.steps * job.groups > MOST_STEPS:
        raise BaryonError(
            f"{settings.steps} steps of {job.groups} groups are more than can be drawn, "
            f"{MOST_STEPS:,}: give fewer steps"
        )
    # What the file's figures make overflow is told by the check below, in one line instead of
    # warnings.
    with np.errstate(all="ignore"):
        prediction = _predict(machine, network, job, settings, single_samples)
    rates = (prediction.samples_per_second, prediction.speed_up, prediction.peak_flops)
    if not all(0 < value < math.inf for value in (prediction.step, *rates)):
        raise BaryonError(
            f"the figures of machine {machine.name!r} give a step of {prediction.step:g} s and no "
            "finite rate: look for one that is far too large or too small"
        )
    return prediction


@dataclass(frozen=True)
class _Drawn:
    """Steps that were drawn, run by run, and the parts that all of them have alike, in seconds."""

    plain: list[Steps]
    """Without checkpoints."""
    runs: list[Steps]
    """With them."""
    straggler: float
    exposed: float
    update: float

    @property
    def checkpoint(self) -> float:
        """Return the mean seconds that checkpoints add to a step."""
        return _mean(self.runs) - _mean(self.plain)


def _predict(
    machine: Machine,
    network: Network,
    job: Job,
    settings: Settings,
    single_samples: float | None,
) -> Prediction:
    node = node_step(machine, network, job.samples, job.workers)
    servers = place_layers(machine, network, job.servers) if job.is_hybrid else None
    drawn = _draw(machine, network, job, settings, node, servers)
    step = _mean(drawn.runs)
    # Groups do not wait for one another: their rates add up, not their times.
    steps_per_second = float(np.mean([(1 / run.mean(axis=0)).sum() for run in drawn.runs]))
    rate = steps_per_second * job.group_size * job.samples
    single = single_rate(machine, network, single_samples or job.samples)
    step_flops = job.group_size * job.samples * network.flops
    missed = np.concatenate([staleness(run) for run in drawn.plain])
    return Prediction(
        job=job,
        step=step,
        samples_per_second=rate,
        speed_up=rate / single,
        efficiency=rate / single / job.workers,
        flops=steps_per_second * step_flops,
        peak_flops=_best(drawn.runs, 1) * step_flops,
        sustained_flops=_best(drawn.runs, settings.window) * step_flops,
        parts=_parts(node, drawn),
        staleness=float(missed.mean()) if missed.size else 0.0,
        late_staleness=float(np.quantile(missed, 0.95)) if missed.size else 0.0,
        server_load=servers.load(job.groups, step) if servers else 0.0,
        failures=failures(machine, network, job, step, settings.hours),
        extrapolated=beyond_measured(machine, job.samples),
    )


def _draw(
    machine: Machine,
    network: Network,
    job: Job,
    settings: Settings,
    node: NodeStep,
    servers: Servers | None,
) -> _Drawn:
    delays = list(slowest_delays(machine, job, node.computing, settings.steps, settings.seed))
    straggler = _mean(delays)
    exposed = exposed_communication(machine, network, job, node, servers, straggler)
    # In a hybrid job the servers apply the optimizer: `servers.service` has its time.
    update = 0.0 if job.is_hybrid else node.update
    plain = [late + (node.compute + exposed + update) for late in delays]
    write = network.checkpoint_bytes / machine["checkpoint_bandwidth"]
    runs = [_with_checkpoints(run, job.checkpoint_every, write) for run in plain]
    return _Drawn(plain, runs, straggler, exposed, update)


def _parts(node: NodeStep, drawn: _Drawn) -> dict[str, float]:
    return {
        "input": node.input,
        "forward": node.forward,
        "backward": float(node.backward.sum()),
        "optimizer": drawn.update,
        "stragglers": drawn.straggler,
        "communication": drawn.exposed,
        "checkpoint": drawn.checkpoint,
    }


def _mean(runs: list[Steps]) -> float:
    return float(np.mean([run.mean() for run in runs]))


def single_rate(machine: Machine, network: Network, samples: float) -> float:
    """Return the samples a second of one node without any communicator."""
    node = node_step(machine, network, samples)
    return samples / (node.compute + node.update)


def exposed_communication(
    machine: Machine,
    network: Network,
    job: Job,
    node: NodeStep,
    servers: Servers | None,
    straggler: float,
) -> float:
    """Return the exposed seconds of a step, with the waiting at servers that goes with them.

    `straggler` are the mean seconds by which the slowest worker of a group is late.
    """
    if servers is None:
        return exposed_all_reduce(machine, network, job, node)
    # The shorter a step, the longer gradients wait at the servers, and the longer the step: the two
    # meet between no waiting and that for all other groups.
    low = node.compute + straggler
    high = low + exposed_by_servers(
        machine, network, job, node, servers, (job.groups - 1) * servers.work[servers.home]
    )
    # Halved 60 times the interval is below the rounding of a float, whatever it began with.
    for _ in range(60):
        step = (low + high) / 2
        waiting = servers.waiting(job.groups, step)
        exposed = exposed_by_servers(machine, network, job, node, servers, waiting)
        low, high = (step, high) if node.compute + straggler + exposed > step else (low, step)
    return exposed


def _with_checkpoints(run: Steps, every: int, seconds: float) -> Steps:
    """Return the steps of a run, each `every`-th of which waits for a checkpoint."""
    if not every:
        return run
    # The steps without checkpoints are still needed, for what checkpoints cost.
    run = run.copy()
    run[every - 1 :: every] += seconds
    return run


def _best(runs: list[Steps], window: int) -> float:
    """Return the steps a second of all groups together, in the best window of each run."""
    rates = []
    for run in runs:
        length = min(window, len(run))
        # Differences of cumulative sums are all windows at once, without a loop over the steps.
        before = np.vstack([np.zeros(run.shape[1]), np.cumsum(run, axis=0)])
        rates.append((length / (before[length:] - before[:-length])).sum(axis=1).max())
    return float(np.mean(rates))

"""Measure what predictions need: layers, optimizer, input, checkpoint, jitter, messages."""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

import torch

from baryon.config.config import Config
from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins
from baryon.runs.machine import machine as describe_machine
from baryon.scaling.count import count_layers
from baryon.scaling.measure.layer_times import StepTimes, time_step, typical
from baryon.scaling.measure.messages import Messages, measure_messages
from baryon.scaling.network import Network, as_plain
from baryon.training.build import TRAIN, RunComponents, build_components
from baryon.training.checkpoints import file as checkpoint_file
from baryon.training.consistency import build_consistently, distributed_run
from baryon.training.optimizers import BUFFERS, ScheduledOptimizerFactory, ScheduledOptimizerStep

WARM_UP = 2
READ_SECONDS = 1.5
ASSUMED = {
    "nodes": (100_000, "assumed: as many as asked for"),
    "node_mtbf": (50_000, "assumed: about one failure of a node in six years"),
    "restart": (300, "assumed"),
    "shrink": (10, "assumed"),
    "input_overlap": (1, "assumed: read ahead, as Baryon does"),
    "efficiency": (1, "not used: layers were measured"),
    "batch_overhead": (0, "not used: layers were measured"),
}
"""Figures that no short measurement tells, with their sources."""


@dataclass(frozen=True)
class RankTimes:
    """What one rank measured.

    Attributes
    ----------
    steps : samples -> the typical step
    totals : seconds of each step of the largest batch
    update : seconds of the optimizer's step
    samples_per_second : read from the data
    checkpoint : seconds in which a checkpoint was written

    """

    steps: Mapping[int, StepTimes]
    totals: Sequence[float]
    update: float
    samples_per_second: float
    checkpoint: float


def measure(
    config: Config, plugins: Plugins, batches: Sequence[int], repeats: int, folder: Path
) -> dict[str, Any] | None:
    """Measure on all ranks; return the file's content on the leader, None on others. Collective.

    Parameters
    ----------
    config
        A frozen config whose batch holds the largest of `batches` for each rank.
    plugins
        All installed plugins.
    batches
        Samples of a rank to be timed.
    repeats
        Steps of each.
    folder
        Where a checkpoint is written, and removed again.

    Raises
    ------
    BaryonError
        If a run of this config cannot be built, has parameter servers, or too few samples.

    """
    with distributed_run(config, plugins) as comm:
        if comm.is_server:
            raise BaryonError("measure all ranks as workers: give comm=sync or comm=serial")
        built = build_consistently(
            comm, config, plugins, lambda: build_components(config, plugins, comm)
        )
        assert built is not None
        with closing(built) as components:
            network = _network(config, components)
            times = _measure_rank(config, components, network, batches, repeats, folder)
            messages = measure_messages() if cluster_environment().ranks > 1 else None
            of_ranks = comm.all_gather_object(times)
            return _content(network, of_ranks, messages) if comm.is_leader else None


def _network(config: Config, components: RunComponents) -> Network:
    split = components.dataset.splits[TRAIN]
    shape = split.augmented_fields["inputs"].shape
    # On the meta device operations are counted without computing; the copy leaves the weights where
    # they are.
    model = copy.deepcopy(components.runner.model).to("meta").eval()
    return Network(
        name=config.choices["model"].name,
        input=tuple(shape),
        layers=count_layers(model, torch.empty(1, *shape, device="meta")),
        sample_bytes=float(Loader(split, components.loading).sample_bytes),
        in_memory=False,
        optimizer_state=len(BUFFERS[config.train.optimizer]),
    )


def _measure_rank(
    config: Config,
    components: RunComponents,
    network: Network,
    batches: Sequence[int],
    repeats: int,
    folder: Path,
) -> RankTimes:
    batch, samples_per_second = _read(components, max(batches))
    runner = components.runner
    runner.train()
    optimizer = ScheduledOptimizerFactory(config.train, total_steps=1000, steps_per_epoch=1000)(
        runner.model.named_parameters()
    )
    steps: dict[int, StepTimes] = {}
    for samples in sorted(batches):
        part = runner.to_device({name: tensor[:samples] for name, tensor in batch.items()})
        measured, updates = _time_steps(components, network, optimizer, part, repeats)
        steps[samples] = typical(measured)
    return RankTimes(
        steps=steps,
        totals=[step.total for step in measured],
        update=median(updates),
        samples_per_second=samples_per_second,
        checkpoint=_checkpoint(components, optimizer, folder),
    )


def _read(components: RunComponents, most: int) -> tuple[Batch, float]:
    """Read batches for a while; return the first one and the samples a second of the others."""
    loader = components.loader(TRAIN)
    with closing(loader.shuffled(0, 0, components.comm.shard)) as batches:
        first = next(iter(batches))
        count, started = 0, time.perf_counter()
        for batch in islice(batches, 10_000):
            count += len(batch["keys"])
            if time.perf_counter() - started > READ_SECONDS:
                break
        elapsed = time.perf_counter() - started
    if len(first["keys"]) < most or not count:
        raise BaryonError(
            f"split {TRAIN!r} has too few samples to measure batches of {most} with: give smaller "
            "batches=, or more data"
        )
    return {name: tensor.clone() for name, tensor in first.items()}, count / elapsed


def _time_steps(
    components: RunComponents,
    network: Network,
    optimizer: ScheduledOptimizerStep,
    batch: Batch,
    repeats: int,
) -> tuple[list[StepTimes], list[float]]:
    """Time steps of a batch and the optimizer's part of them."""
    names = [layer.name for layer in network.layers]

    def loss() -> torch.Tensor:
        terms = components.loss(components.runner(batch, eager=True), batch)
        return torch.stack(list(terms.values())).sum()

    steps, updates = [], []
    for number in range(WARM_UP + repeats):
        steps.append(time_step(components.runner.model, names, loss))
        started = time.perf_counter()
        optimizer.apply(number)
        # Kernels run behind Python: the clock must wait for them.
        if components.runner.device.type == "cuda":
            torch.cuda.synchronize(components.runner.device)
        updates.append(time.perf_counter() - started)
    return steps[WARM_UP:], updates[WARM_UP:]


def _checkpoint(
    components: RunComponents, optimizer: ScheduledOptimizerStep, folder: Path
) -> float:
    """Return the seconds in which weights and optimizer state are written."""
    state = {"model": components.runner.model.state_dict(), "optimizer": optimizer.state_dict()}
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        started = time.perf_counter()
        checkpoint_file.save(Path(temporary) / "checkpoint.pt", state)
        return time.perf_counter() - started


def _content(
    network: Network, of_ranks: Sequence[RankTimes], messages: Messages | None
) -> dict[str, Any]:
    """Return a description of the machine, with the network that it was measured with."""
    first = of_ranks[0]
    host = describe_machine()
    content: dict[str, Any] = {
        "name": host["host"],
        "collectives": messages.collectives() if messages else "tree",
        "measured_on": {**host, "date": time.strftime("%Y-%m-%d"), "ranks": len(of_ranks)},
        "figures": {
            name: {"value": value, "source": source}
            for name, (value, source) in _figures(network, of_ranks, messages).items()
        },
        "network": as_plain(network),
        "measured": {
            layer.name: {
                phase: {
                    str(n): float(getattr(step, phase)[place]) for n, step in first.steps.items()
                }
                for phase in ("forward", "backward")
            }
            for place, layer in enumerate(network.layers)
        },
    }
    return content | ({"messages": messages.as_plain()} if messages else {})


def _spread(of_ranks: Sequence[RankTimes]) -> float:
    """Return the relative spread of the ranks' mean steps, beyond what chance alone makes of it."""
    means = [mean(times.totals) for times in of_ranks]
    by_chance = mean(pstdev(times.totals) ** 2 / len(times.totals) for times in of_ranks)
    return math.sqrt(max(0.0, pstdev(means) ** 2 - by_chance)) / mean(means)


def _figures(
    network: Network, of_ranks: Sequence[RankTimes], messages: Messages | None
) -> dict[str, tuple[float, str]]:
    """Return the figures of the machine with their sources."""
    ranks = len(of_ranks)
    batches = sorted(of_ranks[0].steps)
    largest = [mean(times.totals) for times in of_ranks]
    update = network.nbytes / mean(times.update for times in of_ranks)
    read = network.sample_bytes * mean(times.samples_per_second for times in of_ranks)
    figures = dict(ASSUMED) | {
        "peak_flops": (
            batches[-1] * network.flops / mean(largest),
            f"measured: what the step of batch {batches[-1]} does, not the processor's peak",
        ),
        "least_batch": (batches[0], "the smallest batch that was measured"),
        "most_batch": (batches[-1], "the largest batch that was measured"),
        "update_bandwidth": (update, "measured: the optimizer's step"),
        "server_bandwidth": (update, "assumed: a server updates as fast as a worker"),
        "input_bandwidth": (read, "measured: batches read and decoded, nothing else going on"),
        "file_system_bandwidth": (
            read * ASSUMED["nodes"][0],
            "assumed: every node reads as fast as this one, from its own disk",
        ),
        "jitter": (
            mean(pstdev(times.totals) for times in of_ranks),
            f"measured: standard deviation of {len(of_ranks[0].totals)} steps",
        ),
        "speed_spread": (
            _spread(of_ranks),
            f"measured: {ranks} ranks" if ranks > 1 else "assumed: one rank shows no spread",
        ),
        "checkpoint_bandwidth": (
            network.checkpoint_bytes / of_ranks[0].checkpoint,
            "measured: writing a checkpoint, as if a step waited for it (Baryon writes beside it)",
        ),
    }
    if messages:
        over = f"measured: {messages.ranks} ranks"
        figures["latency"] = (messages.latency, f"{over}, 8 bytes from the first to the last")
        figures["bandwidth"] = (messages.bandwidth(), f"{over}, sums of 4 MiB")
    return figures

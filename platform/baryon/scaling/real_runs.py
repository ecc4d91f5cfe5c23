"""How real runs scaled: their rates and where their time went, beside predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.errors import BaryonError
from baryon.runs.record import RunRecord
from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.prediction import Prediction, Settings, predict
from baryon.system.plain_data import fits, is_count, is_finite, is_text, mapping_of

OUTSIDE_STEPS = ("start", "evaluation")
"""Phases that are no part of a step."""
METERS = {
    "rates": {"sustained": {"samples_per_second": is_finite, "tflops_per_second": is_finite}},
    "phase_seconds": mapping_of(is_finite),
    "gflop_per_sample": is_finite,
}
ASYNC = "async"
SAME_NETWORK = 0.1
"""Relative difference of the operations of a sample above which two networks are not the same."""


@dataclass(frozen=True)
class RealRun:
    """A run of some workers.

    Attributes
    ----------
    name : of its folder
    comm : its communicator
    network : its model
    job : its workers, groups and servers, with the samples of a worker
    samples_per_second, flops : sustained, of all workers
    sample_flops : operations of one sample in training
    phases : seconds of each phase of all steps, on the leader
    prediction : what a description of the machine says of such a job; None without one

    """

    name: str
    comm: str
    network: str
    job: Job
    samples_per_second: float
    flops: float
    sample_flops: float
    phases: Mapping[str, float]
    prediction: Prediction | None = None


def read_runs(
    records: Sequence[RunRecord], machine: Machine | None, network: Network | None
) -> list[RealRun]:
    """Return the runs in the order of their workers, each with its prediction.

    Raises
    ------
    BaryonError
        For a run that has not ended its training, or whose folder does not say how it ran; for runs
        of different models, or of another than was measured.

    """
    runs = sorted(
        (_run(record) for record in records), key=lambda run: (run.comm, run.job.workers, run.name)
    )
    for run in runs:
        wanted = network.name if network else runs[0].network
        if run.network != wanted:
            raise BaryonError(
                f"run {run.name} trains {run.network!r}, not {wanted!r}: scaling compares runs of "
                "one model"
            )
    if machine is None or network is None:
        return runs
    return [_predicted(run, machine, network) for run in runs]


def _predicted(run: RealRun, machine: Machine, network: Network) -> RealRun:
    if abs(run.sample_flops / network.flops - 1) > SAME_NETWORK:
        raise BaryonError(
            f"run {run.name} takes {run.sample_flops / 1e9:.4g} GFLOP for a sample of "
            f"{run.network!r}, the described network {network.flops / 1e9:.4g}: measure it "
            "with the settings of the run"
        )
    prediction = predict(machine, network, run.job, Settings(steps=400))
    return RealRun(**{**vars(run), "prediction": prediction})


def _run(record: RunRecord) -> RealRun:
    meters = record.last("meters")
    if meters is None or not fits(meters, METERS):
        raise BaryonError(f"run {record.name} has no speeds yet: it has not ended its training")
    batch = _value(record, "train", "batch_size", is_count)
    name = _value(record, "comm", "name", is_text)
    servers = _value(record, "comm", "servers", is_count, 0)
    workers = len(record.provenance.ranks) - servers
    groups = workers if name == ASYNC else _value(record, "comm", "groups", is_count, 1)
    return RealRun(
        name=record.name,
        comm=name,
        network=_value(record, "model", "name", is_text),
        job=Job(workers, groups, servers, batch / workers if workers > 0 else 0),
        samples_per_second=meters["rates"]["sustained"]["samples_per_second"],
        flops=meters["rates"]["sustained"]["tflops_per_second"] * 1e12,
        sample_flops=meters["gflop_per_sample"] * 1e9,
        phases={
            phase: seconds
            for phase, seconds in meters["phase_seconds"].items()
            if phase not in OUTSIDE_STEPS and seconds > 0
        },
    )


def _value(record: RunRecord, section: str, key: str, shape: Any, default: Any = None) -> Any:
    values = record.config.get(section)
    if default is not None and isinstance(values, Mapping) and key not in values:
        return default
    if not isinstance(values, Mapping) or not fits(dict(values), {key: shape}):
        raise BaryonError(f"run {record.name} does not say its {section}.{key}")
    return values[key]


def single_rate_of(runs: Sequence[RealRun]) -> float:
    """Return the samples a second of one worker, after the run of fewest workers."""
    smallest = min(runs, key=lambda run: run.job.workers)
    return smallest.samples_per_second / smallest.job.workers


def kind_of_scaling(runs: Sequence[RealRun]) -> str:
    """Say which kind of scaling the runs show."""
    by_worker = {round(run.job.samples, 6) for run in runs}
    together = {round(run.job.samples * run.job.workers, 6) for run in runs}
    if len(runs) > 1 and len(by_worker) == 1:
        return f"weak scaling: {by_worker.pop():g} samples a worker in each step"
    if len(runs) > 1 and len(together) == 1:
        return f"strong scaling: {together.pop():g} samples of all workers in each step"
    return "runs of different batches"

"""Put predictions into tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.interfaces import Table
from baryon.scaling.prediction import Prediction
from baryon.scaling.published import Point, held_out_errors
from baryon.scaling.real_runs import RealRun, kind_of_scaling, single_rate_of
from baryon.scaling.study import Study
from baryon.terminal.units import duration

JOB = ("comm", "nodes", "groups", "servers", "batch a node")
SPEED = ("step", "samples/s", "speed-up", "efficiency", "PFLOP/s", "peak", "sustained")
LOSSES = (
    *("input", "stragglers", "exposed", "checkpoint", "staleness", "95th"),
    *("server load", "survival", "saved every", "failures"),
)


RUN = (
    *("run", "comm", "workers", "groups", "servers", "samples a worker"),
    *("samples/s", "speed-up", "efficiency", "TFLOP/s"),
)
PREDICTED = ("predicted, samples/s", "error")


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f}%"


def of_speed(study: Study) -> Table:
    """Return throughput and FLOP/s of each job."""
    return Table(
        (*JOB, *SPEED),
        [
            (
                *_job(prediction),
                duration(prediction.step),
                f"{prediction.samples_per_second:,.4g}",
                f"{prediction.speed_up:,.4g}",
                percent(prediction.efficiency),
                *(f"{flops / 1e15:.4g}" for flops in _flops(prediction)),
            )
            for prediction in study.predictions
        ],
        caption=f"{study.network.name} on {study.machine.name}: speed",
    )


def of_losses(study: Study) -> Table:
    """Return where the time of each job goes, its staleness and its failures."""
    return Table(
        (*JOB, *LOSSES),
        [
            (
                *_job(prediction),
                *(
                    percent(max(0.0, prediction.parts[part]) / prediction.step)
                    for part in ("input", "stragglers", "communication", "checkpoint")
                ),
                f"{prediction.staleness:.2f}",
                f"{prediction.late_staleness:.0f}",
                percent(prediction.server_load),
                percent(prediction.failures.survival),
                duration(prediction.failures.checkpoint_seconds),
                percent(prediction.failures.loss),
            )
            for prediction in study.predictions
        ],
        caption=(
            f"{study.network.name} on {study.machine.name}: what is lost of a step, and in "
            f"{study.request.settings.hours:g} h to failures and checkpoints"
        ),
    )


def _job(prediction: Prediction) -> tuple[str, str, str, str, str]:
    job = prediction.job
    return (job.comm, f"{job.workers}", f"{job.groups}", f"{job.servers}", f"{job.samples:g}")


def _flops(prediction: Prediction) -> tuple[float, float, float]:
    return prediction.flops, prediction.peak_flops, prediction.sustained_flops


def of_runs(runs: Sequence[RealRun]) -> Table:
    """Return the rates of real runs beside their predictions."""
    single = single_rate_of(runs)
    predicted = any(run.prediction for run in runs)
    rows = []
    for run in runs:
        speed_up = run.samples_per_second / single
        row = [run.name, run.comm, f"{run.job.workers}", f"{run.job.groups}", f"{run.job.servers}"]
        row += [f"{run.job.samples:g}", f"{run.samples_per_second:,.4g}", f"{speed_up:.3g}"]
        row += [percent(speed_up / run.job.workers), f"{run.flops / 1e12:.4g}"]
        if run.prediction:
            rate = run.prediction.samples_per_second
            row += [f"{rate:,.4g}", f"{100 * (rate / run.samples_per_second - 1):+.1f}%"]
        rows.append(row)
    columns = (*RUN, *PREDICTED) if predicted else RUN
    return Table(columns, rows, kind_of_scaling(runs))


def of_points(points: Sequence[Point]) -> Table:
    """Return published results beside their predictions."""
    return Table(
        ("network", "what", "quantity", "published", "predicted", "error", "use", "published is"),
        [
            (
                point.network,
                point.what,
                point.quantity.replace("_", " "),
                f"{point.published:,.4g}",
                f"{point.predicted:,.4g}",
                f"{100 * point.error:+.1f}%",
                point.use,
                point.mark,
            )
            for point in points
        ],
        caption="predictions against published results",
    )


def summary_of_points(points: Sequence[Point]) -> str:
    """Say how far off the predictions of held-out points are."""
    middle, worst = held_out_errors(points)
    return f"held-out points: median error {percent(middle)}, largest {percent(worst)}"


def summary(study: Study) -> str:
    """Say which job has the highest throughput."""
    fastest = max(study.predictions, key=lambda prediction: prediction.samples_per_second)
    job = fastest.job
    shape = f"{job.groups} groups and {job.servers} servers" if job.is_hybrid else "one group"
    return (
        f"fastest: {job.comm} on {job.workers:,} nodes in {shape}, "
        f"{fastest.samples_per_second:,.4g} samples/s, {fastest.flops / 1e15:.4g} PFLOP/s, "
        f"efficiency {percent(fastest.efficiency)}"
    )


def notes(study: Study) -> list[str]:
    """Say what a reader must know of the predictions: extrapolation, jobs left out."""
    machine = study.machine
    beyond = sorted({p.job.samples for p in study.predictions if p.extrapolated})
    told = [f"measured on {machine.origin}"] if machine.origin else []
    if beyond:
        told.append(
            f"{', '.join(f'{n:g}' for n in beyond)} samples a node are outside the "
            f"{machine['least_batch']:g} to {machine['most_batch']:g} that the file of machine "
            f"{machine.name} covers: these predictions are extrapolated"
        )
    single = study.request.group_samples
    if single and single > machine["most_batch"]:
        told.append(
            f"speed-up is over one node that computes {single} samples a step, more than the "
            f"{machine['most_batch']:g} that the file of machine {machine.name} covers"
        )
    return told + [f"left out: {reason}" for reason in study.skipped]

"""The workers' part of a run's summary: how they spent the time, who was slow, who died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from baryon.interfaces import CommunicatorSummary, Table
from baryon_comm.mpi.layout import Layout
from baryon_comm.topology import HybridRun, draw_topology

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRAGGLER = 1.5  # times the median of the other workers


def worker_summary(
    workers: Sequence[Mapping[str, Any]],
    dead: Mapping[int, str],
    strategy: CommunicatorSummary,
    layout: Layout,
) -> CommunicatorSummary:
    """Summarise the times and failures of the living workers, beside the strategy's summary.

    Runs with parameter servers get a picture of their ranks.
    """
    warnings = _stragglers(workers)
    faults = _first_noticed(workers)
    warnings += [f"{_death(name, faults.get(rank))}" for rank, name in dead.items()]
    exposed = sum(worker["exposed_ms"] for worker in workers) / len(workers)
    return CommunicatorSummary(
        metrics={"exposed_communication_ms": exposed, **strategy.metrics},
        tables={"workers": _table(workers), **_faults(dead, faults), **strategy.tables},
        figures={**_topology(workers, dead, faults, layout), **strategy.figures},
        warnings=[*warnings, *strategy.warnings],
    )


def _topology(
    workers: Sequence[Mapping[str, Any]],
    dead: Mapping[int, str],
    faults: Mapping[int, Mapping[str, Any]],
    layout: Layout,
) -> dict[str, Figure]:
    """Draw the ranks of a run with parameter servers; nothing for others."""
    if not layout.num_servers:
        return {}
    staleness: dict[int, Sequence[tuple[int, float]]] = {}
    for worker in workers:  # members of a group have seen the same
        if len(worker["staleness"]) > len(staleness.get(worker["group"], ())):
            staleness[worker["group"]] = worker["staleness"]
    run = HybridRun(
        layout=layout,
        deaths={rank: faults[rank]["step"] if rank in faults else None for rank in dead},
        staleness=staleness,
        steps=max((worker["steps"] for worker in workers), default=0),
    )
    return {"topology": draw_topology(run)}


def _stragglers(workers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name workers far slower than the median of the others; that of all would hide one of two."""
    warnings = []
    for number, worker in enumerate(workers):
        others = [other["computing_ms"] for n, other in enumerate(workers) if n != number]
        if others and worker["computing_ms"] > STRAGGLER * (usual := median(others)) > 0:
            warnings.append(
                f"{worker['who']} is a straggler: {worker['computing_ms']:.0f} ms a step, the "
                f"median of the others is {usual:.0f} ms"
            )
    return warnings


def _first_noticed(workers: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Return each death as first noticed; other groups learn of it at the next gather of all."""
    faults: dict[int, Mapping[str, Any]] = {}
    for worker in workers:
        for rank, fault in worker["faults"].items():
            if rank not in faults or fault["step"] < faults[rank]["step"]:
                faults[rank] = fault
    return faults


def _table(workers: Sequence[Mapping[str, Any]]) -> Table:
    keys = ("who", "steps", "computing_ms", "exposed_ms")
    rows = [tuple(worker[key] for key in keys) for worker in workers]
    return Table(
        columns=("worker", "steps", "computing, ms a step", "exposed communication, ms a step"),
        rows=rows,
        caption="Workers",
    )


def _death(name: str, fault: Mapping[str, Any] | None) -> str:
    return f"{name} died{_when(fault)}"


def _when(fault: Mapping[str, Any] | None) -> str:
    return f" in step {fault['step']}" if fault else ""


def _faults(dead: Mapping[int, str], faults: Mapping[int, Any]) -> dict[str, Table]:
    if not dead:
        return {}
    rows = [(name, faults[rank]["step"] if rank in faults else "-") for rank, name in dead.items()]
    return {"faults": Table(columns=("who died", "noticed in step"), rows=rows, caption="Faults")}

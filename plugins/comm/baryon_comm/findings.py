"""What workers have to say of a run: how they spent the time, who was slow, who died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from baryon.interfaces import Findings, Table

SLOW = 1.5  # times the median of the others


def worker_findings(
    workers: Sequence[Mapping[str, Any]], dead: Mapping[int, str], own: Findings
) -> Findings:
    """From every living worker's times and faults, beside the strategy's own findings."""
    warnings = _stragglers(workers)
    faults = _first_noticed(workers)
    warnings += [f"{_death(name, faults.get(rank))}" for rank, name in dead.items()]
    exposed = sum(one["exposed_ms"] for one in workers) / len(workers)
    return Findings(
        metrics={"exposed_communication_ms": exposed, **own.metrics},
        tables={"workers": _table(workers), **_faults(dead, faults), **own.tables},
        figures=own.figures,
        warnings=[*warnings, *own.warnings],
    )


def _stragglers(workers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those far slower than the others; the median of all would hide one of two."""
    found = []
    for number, one in enumerate(workers):
        others = [other["computing_ms"] for n, other in enumerate(workers) if n != number]
        if others and one["computing_ms"] > SLOW * (usual := median(others)) > 0:
            found.append(
                f"{one['who']} is a straggler: {one['computing_ms']:.0f} ms a step, the median of "
                f"the others is {usual:.0f} ms"
            )
    return found


def _first_noticed(workers: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """The dead by rank; other groups learn of a death when all meet."""
    faults: dict[int, Mapping[str, Any]] = {}
    for one in workers:
        for rank, fault in one["faults"].items():
            if rank not in faults or fault["step"] < faults[rank]["step"]:
                faults[rank] = fault
    return faults


def _table(workers: Sequence[Mapping[str, Any]]) -> Table:
    rows = [(one["who"], one["steps"], one["computing_ms"], one["exposed_ms"]) for one in workers]
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

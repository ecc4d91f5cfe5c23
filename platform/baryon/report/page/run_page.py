"""The page of one run: its answer, curves, results, time, configuration and provenance."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from baryon.config import defaults
from baryon.config.flatten import flat
from baryon.report import speed
from baryon.report.page import charts
from baryon.report.page.page import flops, picture, render
from baryon.runs.git_state import UNKNOWN, GitState
from baryon.runs.judgement import value_with_error
from baryon.runs.provenance import InitialWeights, Provenance, RankProvenance
from baryon.runs.record import RunRecord
from baryon.runs.run_state import FINISHED, RUNNING
from baryon.terminal.units import duration

TRAINING = "training"
"""Name of the figure of the curves, which the page draws itself."""
MACHINE = {"memory_gib": "memory, GiB", "gpus": "GPUs", "mpi": "MPI"}
MAX_ANSWERS = 3
"""Metrics in large type."""
MIN_SHARE = 0.005  # of the wall clock, below which a phase is not shown
SIZES = (("G", 10**9), ("M", 10**6), ("k", 10**3))


def page(run: RunRecord, tag: str = "") -> str:
    """Write the page of a run; what is missing is left out, or named as missing.

    `tag` is the state of the page where it is served live.
    """
    communication = _communication(run)
    results = _results(run, communication)
    # The first figure of the evaluator is its answer as a picture: a curve, a map.
    first_picture = results["pictures"].pop(0) if results and results["pictures"] else None
    return render(
        "run.html.j2",
        {"charts": charts.of_run(run), "parallel": None},
        title=run.name,
        going=run.state == RUNNING,
        tag=tag,
        run=run,
        choices=choices(run.config),
        started=moment(run.provenance.started),
        progress=_progress(run),
        headline_tiles=tiles(run),
        answers=_answers(run),
        first_picture=first_picture,
        results=results,
        times=times(run),
        communication=communication,
        config=_config(run),
        provenance=_provenance(run),
    )


def _answers(run: RunRecord) -> list[dict[str, str]]:
    """Return the few metrics by which runs are judged, with their errors."""
    metrics = run.evaluation.metrics
    names = [str(name).removeprefix("-") for name in run.evaluation.judged_by]
    values = {name: value_with_error(metrics, name) for name in names}
    known = [(name, value) for name, value in values.items() if value]
    return [_answer(name, value) for name, value in known[:MAX_ANSWERS]]


def _answer(name: str, text: str) -> dict[str, str]:
    """Return a metric for the template, its error apart unless both share a power of ten."""
    value, _, error = (text, "", "") if text.startswith("(") else text.partition(" ")
    return {"name": name.replace("_", " "), "value": value, "error": error}


def choices(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the run's five components, by kind."""
    from baryon.plugins.registry import KINDS

    return {k: config[k].get("name", "-") for k in KINDS if isinstance(config.get(k), Mapping)}


def moment(iso: str | None) -> str:
    """Write a time stamp to the minute; "" for none."""
    try:
        return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M") if iso else ""
    except ValueError:
        return ""


def _progress(run: RunRecord) -> dict[str, Any] | None:
    if run.state == FINISHED or not run.log:
        return None
    total = (run.last("execution") or {}).get("total_steps")
    done, seconds = run.log[-1].get("step"), run.seconds or 0.0
    if not total or done is None:
        return None
    left = seconds * (total - done) / done if done and run.state == RUNNING else None
    return {"step": done, "total": total, "left": left}


def tiles(run: RunRecord) -> list[dict[str, str]]:
    """Return the few numbers that are looked for first, as tiles at the top of the page."""
    return [*_training_tiles(run), *_speed_tiles(run), *_size_tiles(run)]


def _training_tiles(run: RunRecord) -> list[dict[str, str]]:
    tiles = []
    validation = [line for line in run.lines("validation") if math.isfinite(line["loss"])]
    if validation:
        best = min(validation, key=lambda line: line["loss"])
        step = f"lowest, at step {best['step']:,}"
        tiles.append(_tile("validation loss", f"{best['loss']:.4g}", step))
    train = run.last("train")
    if train:
        tiles.append(_tile("training loss", f"{train['loss']:.4g}", "last"))
        tiles.append(_tile("steps", f"{train['step']:,}", f"in epoch {train['epoch']}"))
    return tiles


def _speed_tiles(run: RunRecord) -> list[dict[str, str]]:
    tiles = []
    meters = run.last("meters")
    if run.seconds:
        goodput = f"goodput {meters['goodput']:.0%}" if meters else ""
        tiles.append(_tile("wall clock", duration(run.seconds), goodput))
    rates = meters["rates"]["sustained"] if meters else run.last("train")
    if rates:
        rate = f"{rates['samples_per_second']:,.4g}"
        tiles.append(_tile("speed", rate, "samples/s" + ", sustained" * bool(meters)))
        value, unit = flops(rates["tflops_per_second"])
        note = speed.PEAK_TOO_LOW * (rates["mfu"] > 1)
        tiles.append(_tile("operations", value, f"{unit}, {rates['mfu']:.0%} of peak{note}"))
    return tiles


def _size_tiles(run: RunRecord) -> list[dict[str, str]]:
    tiles = []
    execution = run.last("execution") or {}
    if execution.get("parameters"):
        mode = f"{execution.get('precision', '')} {execution.get('mode', '')}"
        tiles.append(_tile("parameters", short_count(execution["parameters"]), mode))
    ranks = run.provenance.ranks
    if len(ranks) > 1:
        hosts = len({rank.host for rank in ranks})
        tiles.append(_tile("processes", str(len(ranks)), f"on {hosts} host{'s' * (hosts > 1)}"))
    return tiles


def short_count(number: int) -> str:
    """Write a count in three digits, such as 531 k or 1.2 M."""
    for unit, size in SIZES:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _tile(name: str, value: str, under: str) -> dict[str, str]:
    return {"name": name, "value": value, "unit": "", "under": under}


def times(run: RunRecord) -> dict[str, Any] | None:
    """Return the split of the wall clock, and the tables of rates, phases and layers.

    None for a run that has not ended.
    """
    meters = run.last("meters")
    if meters is None:
        return None
    spent = {**meters["phase_seconds"], "lost": meters["lost_seconds"]}
    total = sum(spent.values()) or 1e-9
    shares = [
        {
            "name": name,
            "seconds": seconds,
            "share": seconds / total,
            "colour": charts.phase_colour(name, number),
        }
        for number, (name, seconds) in enumerate(spent.items())
        if seconds / total > MIN_SHARE
    ]
    return {
        "wall": meters["wall_seconds"],
        "goodput": meters["goodput"],
        "shares": shares,
        "how": _how(run.last("execution") or {}),
        "tables": speed.tables(meters),
    }


def _how(execution: Mapping[str, Any]) -> str:
    if not all(key in execution for key in ("why", "precision", "mode")):
        return ""
    return f"Computed in {execution['precision']} {execution['mode']}: {execution['why']}."


def _communication(run: RunRecord) -> dict[str, Any] | None:
    """Return the tables and figures of the communicator, and whether all processes completed."""
    ranks = len(run.provenance.ranks)
    names = run.evaluation.of_communication
    tables = {name: table for name, table in run.evaluation.tables.items() if name in names}
    pictures = [picture(p.path, p.caption) for p in run.figures if p.path.stem in names]
    if not tables and not pictures:
        return None
    faultless = run.state == FINISHED and "faults" not in tables
    return {"tables": tables, "pictures": pictures, "faultless": faultless, "ranks": ranks}


def _results(run: RunRecord, communication: Mapping[str, Any] | None) -> dict[str, Any] | None:
    others = communication["tables"] if communication else {}
    tables = {name: table for name, table in run.evaluation.tables.items() if name not in others}
    names = run.evaluation.of_communication
    pictures = [
        picture(figure.path, figure.caption)
        for figure in run.figures
        if figure.path.stem != TRAINING and figure.path.stem not in names
    ]
    if not tables and not pictures and not run.is_evaluated and not run.later_evaluations:
        return None
    return {"tables": tables, "pictures": pictures}


def _config(run: RunRecord) -> dict[str, Any]:
    """Return every key with its value, and its default where that is another value."""
    changed: Any = run.provenance.changed
    if changed is None and run.config:
        # The run could not tell its defaults when it began: today's plugins are asked.
        changed = defaults.changed_now(run.config)
    why = changed if isinstance(changed, str) else ""
    default = changed if isinstance(changed, Mapping) else {}
    rows = [
        {"key": key, "value": value, "changed": key in default, "default": default.get(key)}
        for key, value in flat(run.config).items()
    ]
    return {"rows": rows, "changes": len(default), "why": why}


def _provenance(run: RunRecord) -> dict[str, Any]:
    """Return where the run comes from: command, code, software, machine, data."""
    provenance = run.provenance
    parts = {
        "Run": _start(provenance),
        "Code": _git(provenance.git) if provenance.command else {},
        "Software": _software(provenance),
        "Machine": _machine(provenance),
        "Data": provenance.data,
    }
    again = f"baryon reproduce run={shlex.quote(str(run.directory.path))}"
    return {
        "command": shlex.join(provenance.command),
        "again": again if provenance.command else "",
        "parts": {caption: values for caption, values in parts.items() if any(values.values())},
        "packages": provenance.packages,
    }


def _start(provenance: Provenance) -> dict[str, Any]:
    values = {
        "seed": provenance.seed,
        "config": provenance.config,
        "started": provenance.started,
        "folder": provenance.folder,
        "first weights": _initial_weights(provenance.init),
        **{f"resumed at {entry.at}": shlex.join(entry.command) for entry in provenance.resumed},
    }
    return {key: value for key, value in values.items() if value not in (None, "")}


def _initial_weights(init: InitialWeights | None) -> str:
    if init is None:
        return ""
    return (
        f"{init.taken} of {init.total} tensors from {init.path}, step {init.step}, SHA-256 "
        f"{init.digest[:12]}"
    )


def _software(provenance: Provenance) -> dict[str, Any]:
    return {
        "Baryon": provenance.baryon,
        "Python": provenance.python,
        **{f"plugin {name}": version for name, version in provenance.plugins.items()},
        **provenance.libraries,
    }


def _machine(provenance: Provenance) -> dict[str, Any]:
    machine = provenance.machine
    return {
        **{MACHINE.get(key, key): _listed(value) for key, value in machine.items() if value},
        **_processes(provenance.ranks),
        **provenance.environment,
    }


def _git(git: GitState | None) -> dict[str, Any]:
    if git is None:
        return {"git": "no repository in the folder it was started from"}
    changes = "none"
    if git.changes == UNKNOWN:
        changes = "unknown: git did not compare the files"
    elif git.changes is not None:
        changes = f"{git.patch_bytes:,} bytes, SHA-256 {git.changes[:12]}"
    return {
        "commit": git.commit,
        "branch": git.branch,
        "uncommitted changes": changes,
        "files not tracked": git.untracked,
    }


def _processes(ranks: Sequence[RankProvenance]) -> dict[str, Any]:
    if not ranks:
        return {}
    hosts = Counter(rank.host for rank in ranks)
    threads = sorted({rank.threads for rank in ranks})
    return {
        "processes": len(ranks),
        "on": ", ".join(f"{host} ({count})" for host, count in hosts.items()),
        "threads each": ", ".join(map(str, threads)),
    }


def _listed(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value

"""Show the report of a run or a sweep live in a browser of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import Arguments
from baryon.terminal.console import say

if TYPE_CHECKING:
    from baryon.report.server import Shown

PORT = 8265
WATCHED = ("metrics.jsonl", "metrics.json", "evaluation.json", "provenance.json", "config.yaml")
"""Files whose change makes another page."""
SECONDS_UNSEEN = 10.0
"""After so many seconds without a change it is looked whether the process still lives."""


def run(arguments: Arguments) -> int:
    """Serve the page until the run or sweep ends, or Ctrl-C."""
    port = PORT if arguments["port"] is None else arguments["port"]
    is_sweep = arguments["sweep"] is not None
    path = Path(arguments["sweep"] if is_sweep else arguments["run"]).resolve()

    from baryon.report.server import Watched, serve

    look = _sweep(path) if is_sweep else _run(path)
    # Looked before a port is taken, and before anybody opens a page that never changes.
    if not look().going:
        say(f"{path} is not running; {_hint(path)}")
        return 0
    watched = Watched(lambda: _signature([path, *(_inside(path) if is_sweep else [])]), look)
    try:
        serve(watched, port, lambda url: say(f"watching {path.name} on {url} (Ctrl-C stops)"))
    except KeyboardInterrupt:
        # The usual way to end it, and so no error.
        say(f"stopped watching; {path.name} goes on")
        return 0
    say(f"{path.name} has ended; {_hint(path)}")
    return 0


def _hint(path: Path) -> str:
    """Say where the report lies, or how to make it."""
    report = path / "report.html"
    if report.is_file():
        return f"report: {report}"
    kind = "sweep" if (path / "sweep.json").is_file() else "run"
    return f"make its report with `baryon report {kind}={path}`"


def _run(path: Path) -> Callable[[], Shown]:
    from baryon.report.page import run_page
    from baryon.report.server import Shown
    from baryon.runs import record as run_record
    from baryon.runs import run_state
    from baryon.runs.directory import RunDirectory

    def look() -> Shown:
        record = run_record.read(RunDirectory(path))
        going = record.state == run_state.RUNNING
        return Shown(lambda tag: run_page.page(record, tag), going)

    return look


def _sweep(path: Path) -> Callable[[], Shown]:
    from baryon.report.page import sweep_page
    from baryon.report.server import Shown
    from baryon.runs import sweep_record

    def look() -> Shown:
        record = sweep_record.read(path)
        return Shown(lambda tag: sweep_page.page(record, path, tag), record.is_running)

    return look


def _inside(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []


def _signature(folders: Sequence[Path]) -> Any:
    """Return what differs when the page would: names, times and sizes of the files behind it."""
    names = (*WATCHED, "sweep.json")
    # The count of intervals differs now and then by itself: a process may die without a word.
    return [int(time.monotonic() // SECONDS_UNSEEN)] + [
        (str(path), stat.st_mtime_ns, stat.st_size)
        for folder in folders
        for path in map(folder.joinpath, names)
        if (stat := _stat(path)) is not None
    ]


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        # Written anew just now, or removed: the next look will tell.
        return None

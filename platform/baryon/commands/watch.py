"""`baryon watch run=<dir>`: the report of a run or a sweep, live in a browser of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.errors import BaryonError
from baryon.terminal.console import say

if TYPE_CHECKING:
    from baryon.report.server import Shown

USAGE = """\
usage: baryon watch run=<dir>|sweep=<dir> [port=<number>]

Serve the report of a run or a sweep on http://127.0.0.1:<port>/ while it goes on; the page follows
by itself. Only this machine can open it, and nobody can change anything through it. It ends when
the run does, or by Ctrl-C. On a cluster: ssh -L 8265:127.0.0.1:8265 <node>.

  baryon watch run=runs/latest
  baryon watch sweep=runs/my-sweep port=0      (any free port)
"""

PORT = 8265
LARGEST_PORT = 65535
WATCHED = ("metrics.jsonl", "metrics.json", "evaluation.json", "provenance.json", "config.yaml")
"""Files whose change makes another page."""
SECONDS_UNSEEN = 10.0
"""Between two looks whether the process still lives, where no file changes."""


def run(arguments: Sequence[str]) -> int:
    """Serve until the end."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, others = split_arguments(arguments, required=(), optional=("run", "sweep", "port"))
    if others or ("run" in own) == ("sweep" in own):
        raise BaryonError(f"watch takes run=<dir> or sweep=<dir>, and port=, not {others or own}")
    port = _port(own.get("port", str(PORT)))
    is_sweep = "sweep" in own
    path = Path(own["sweep"] if is_sweep else own["run"]).resolve()

    from baryon.report.server import Watched, serve

    look = _sweep(path) if is_sweep else _run(path)
    if not look().going:
        say(f"{path} is not running; {_hint(path)}")
        return 0
    watched = Watched(lambda: _signature([path, *(_inside(path) if is_sweep else [])]), look)
    try:
        serve(watched, port, lambda url: say(f"watching {path.name} on {url} (Ctrl-C ends it)"))
    except KeyboardInterrupt:
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


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_PORT:
        raise BaryonError(f"port={text} must be a number from 0 (any) to {LARGEST_PORT}")
    return int(text)


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
    return sorted(one for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def _signature(folders: Sequence[Path]) -> Any:
    """Differs when a file has changed, and now and then: a process may die without a word."""
    names = (*WATCHED, "sweep.json")
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
        return None

"""`baryon report run=<dir>`: one page of a run, of several side by side, or of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baryon.commands.arguments import HELP_FLAGS
from baryon.errors import BaryonError
from baryon.terminal.console import say

USAGE = """\
usage: baryon report run=<dir> [run=<dir> ...] [out=<file>]
       baryon report sweep=<dir> [out=<file>]

Write one HTML page that opens anywhere, offline: of a run, finished or not; of several runs side by
side; of a sweep. It lies in the run's or the sweep's folder as report.html (of several runs: in the
working directory as comparison.html) unless out= says otherwise.

  baryon report run=runs/latest
  baryon report run=runs/small run=runs/large out=small-and-large.html
  baryon report sweep=runs/my-sweep
"""


def run(arguments: Sequence[str]) -> int:
    """Read what is there, write the page, say where."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    runs, sweep, out = parse(arguments)

    from baryon.system.atomic import write_text

    place = Path(out) if out else _place(runs, sweep)
    if place.is_dir():
        raise BaryonError(f"out={out} is a folder: give a file, such as out={place}/report.html")
    if out and not place.parent.is_dir():
        raise BaryonError(f"out={out}: there is no folder {place.parent}; make it first")
    text, missing = written(runs, sweep, place.parent.resolve())
    write_text(place, text)
    for one in missing:
        say(f"missing: {one}")
    say(f"report: {place}")
    return 0


def parse(arguments: Sequence[str]) -> tuple[list[Path], Path | None, str]:
    """Folders of runs, that of a sweep, and `out`. Raises `BaryonError` for anything else."""
    runs: list[Path] = []
    others: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in ("run", "sweep", "out"):
            raise BaryonError(f"report takes run=, sweep= and out=, not {argument!r}")
        if not value:
            raise BaryonError(f"give {key}=<{key}>")
        if key == "run":
            runs += [Path(one) for one in value.split(",") if one]
        else:
            others[key] = value
    sweep = Path(others["sweep"]) if "sweep" in others else None
    if bool(runs) == (sweep is not None):
        raise BaryonError("give run=<dir>, as often as you like, or sweep=<dir>")
    return runs, sweep, others.get("out", "")


def _place(runs: Sequence[Path], sweep: Path | None) -> Path:
    if sweep is not None:
        return sweep / "report.html"
    return runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html")


def written(runs: Sequence[Path], sweep: Path | None, place: Path) -> tuple[str, Sequence[str]]:
    """The page as it would lie in the folder `place`, and what is missing in it."""
    from baryon.report.page import comparison_page, run_page, sweep_page
    from baryon.runs import record as run_record
    from baryon.runs import sweep_record
    from baryon.runs.directory import RunDirectory

    if sweep is not None:
        swept = sweep_record.read(sweep.resolve())
        return sweep_page.page(swept, place), swept.problems
    records = [run_record.read(RunDirectory(path.resolve())) for path in runs]
    if len(records) == 1:
        return run_page.page(records[0]), records[0].problems
    missing = [f"{record.name}: {one}" for record in records for one in record.problems]
    return comparison_page.page(records, place), missing

"""Write a page of a run, of several runs side by side, or of a sweep."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from baryon.commands.arguments import Arguments
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import name_report, say


def run(arguments: Arguments) -> int:
    """Read what is there, write the page, say where it lies and what is missing in it."""
    from baryon.system.atomic import write_text

    if arguments["scaling"]:
        return _scaling(arguments)
    if arguments["machine"]:
        raise BaryonError("machine= goes with scaling=<dir>: predictions beside real runs")
    runs = _folders("run", arguments["run"])
    sweep = Path(arguments["sweep"]) if arguments["sweep"] else None
    if not runs and sweep is None:  # run=,
        raise BaryonError("give run=<dir>")
    out = arguments["out"]
    file = Path(out) if out else _file(runs, sweep)
    _require_writable(file, out)
    # Links of the page are relative to where it will lie, links of the file system followed.
    text, missing = page(runs, sweep, file.parent.resolve())
    write_text(file, text)
    for line in missing:
        say(f"missing: {line}")
    name_report(file)
    return 0


def _require_writable(file: Path, out: str | None) -> None:
    if file.is_dir():
        raise BaryonError(f"out={out} is a folder: give a file, such as out={file}/report.html")
    # Not made: a mistyped folder would be, and the page lost in it.
    if out and not file.parent.is_dir():
        raise BaryonError(f"out={out}: there is no folder {file.parent}; make it first")


def _folders(key: str, given: Sequence[str]) -> list[Path]:
    """Return the folders that were given, for a glob each run that it matches, by name.

    Raises `BaryonError` for a glob that matches no run.
    """
    texts = [path for paths in given for path in paths.split(",") if path]
    # As a folder may be named by several entries, of which one is a glob, each is taken once.
    return list(dict.fromkeys(folder for text in texts for folder in _matching(key, text)))


def _matching(key: str, text: str) -> list[Path]:
    folder = Path(text)
    if not glob.has_magic(text) or folder.exists():
        return [folder]
    # Last what links lead to, such as `latest`: mostly a run that is matched by its own name.
    matches = sorted(map(Path, glob.glob(text)), key=lambda path: (path.is_symlink(), path))  # noqa: PTH207
    runs: dict[Path, Path] = {}
    for path in matches:
        if RunDirectory(path).config.is_file():
            runs.setdefault(path.resolve(), path)
    if not runs:
        raise BaryonError(f"{key}={text}: no run folders match; `baryon runs` lists runs")
    return list(runs.values())


def _scaling(arguments: Arguments) -> int:
    """Write the page of how runs scaled, with predictions for a machine if one is given."""
    from baryon.report.results import show_table
    from baryon.runs import record as run_record
    from baryon.scaling import page, tables
    from baryon.scaling.measurement import read_machine_and_network
    from baryon.scaling.real_runs import read_runs
    from baryon.system.atomic import write_text

    folders = _folders("scaling", arguments["scaling"])
    if not folders:  # scaling=,
        raise BaryonError("give scaling=<dir>")
    file = Path(arguments["out"] or "scaling.html")
    _require_writable(file, arguments["out"])
    records = [run_record.read(RunDirectory(path.resolve())) for path in folders]
    machine, network, notes = None, None, []
    if arguments["machine"]:
        machine, network = read_machine_and_network(arguments["machine"], None)
        notes = [f"predictions for machine {machine.name}, measured on {machine.origin}"]
    runs = read_runs(records, machine, network)
    write_text(file, page.page_of_runs(runs, notes), "out")
    show_table(tables.of_runs(runs))
    for note in notes:
        say(note)
    name_report(file)
    return 0


def _file(runs: Sequence[Path], sweep: Path | None) -> Path:
    if sweep is not None:
        return sweep / "report.html"
    return runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html")


def page(runs: Sequence[Path], sweep: Path | None, folder: Path) -> tuple[str, Sequence[str]]:
    """Return the page as it would lie in a folder, and what is missing in it."""
    from baryon.report.page import comparison_page, run_page, sweep_page
    from baryon.runs import record as run_record
    from baryon.runs import sweep_record

    if sweep is not None:
        swept = sweep_record.read(sweep.resolve())
        return sweep_page.page(swept, folder), swept.problems
    records = [run_record.read(RunDirectory(path.resolve())) for path in runs]
    if len(records) == 1:
        return run_page.page(records[0]), records[0].problems
    missing = [f"{record.name}: {line}" for record in records for line in record.problems]
    return comparison_page.page(records, folder), missing

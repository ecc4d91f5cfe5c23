"""List the samples that a step of a run took."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from baryon.commands.arguments import Arguments
from baryon.config import frozen_file
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import say
from baryon.terminal.units import counted

if TYPE_CHECKING:
    from baryon.config.config import Config
    from baryon.data.ledger import Ledger
    from baryon.interfaces import Split, Table


def run(arguments: Arguments) -> int:
    """Build the run's dataset, compare it with the ledger of its checkpoint, print."""
    directory = run_directory.find(arguments["run"])
    plugins = checked_plugins()
    config = frozen_file.read(directory.config)

    from baryon.report.results import show_table
    from baryon.training import nonfinite
    from baryon.training.build import TRAIN, build_dataset

    with ExitStack() as opened:
        splits = build_dataset(config, plugins).splits
        for split in splits.values():
            opened.callback(split.close)
        ledger = _ledger(directory, config, splits)
        # Of later steps than the checkpoint's it is known what they will take.
        step = arguments["step"] or max(1, ledger.step)
        epoch, batch = ledger.position(step - 1)
        say(f"step {step} of {directory.path}: batch {batch + 1} of epoch {epoch + 1}")
        show_table(_samples(ledger, step, splits[TRAIN]))
    for saved in nonfinite.saved(directory.path, step):
        show_table(nonfinite.describe(saved))
    return 0


def _ledger(directory: RunDirectory, config: Config, splits: Mapping[str, Split]) -> Ledger:
    """Return the run's ledger as its last checkpoint left it."""
    from baryon.data.ledger import Ledger
    from baryon.data.loader import Loader
    from baryon.training.build import TRAIN, loading
    from baryon.training.checkpoints.folder import load_last
    from baryon.training.checkpoints.names import LAST

    loader = Loader(splits[TRAIN], loading(config))
    ledger = Ledger(loader, {name: split.fingerprint() for name, split in splits.items()})
    # A run may have been stopped before its first checkpoint.
    if (directory.checkpoints / LAST).exists():
        state, _ = load_last(directory.checkpoints)
        ledger.load_state_dict(state["ledger"])
    return ledger


def _samples(ledger: Ledger, step: int, split: Split) -> Table:
    from baryon.data.contract_check import provides
    from baryon.data.decoding import read_rows
    from baryon.interfaces import Table

    parts = ledger.parts(step - 1)
    scalars = [name for name, field in split.fields.items() if field.shape == ()]
    has_place = provides(split, "place")
    rows = []
    for worker, indices in enumerate(parts.values()):
        values = read_rows(split, indices)
        for number, index in enumerate(indices.tolist()):
            place = [split.place(index)] if has_place else []
            rows.append([worker, index, *place, *(values[name][number].item() for name in scalars)])
    columns = ["worker", "sample", *(["where"] if has_place else []), *scalars]
    later = "" if step <= ledger.step else " (still to come at the last checkpoint)"
    shown = f"{counted(len(rows), 'sample')} of {counted(len(parts), 'worker')}"
    return Table(columns, rows, f"{shown}{later}")

"""`baryon data show run=<dir>`: which samples a step of a run took."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.config import config as configs
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import say

if TYPE_CHECKING:
    from baryon.config.config import Config
    from baryon.data.ledger import Ledger
    from baryon.interfaces import Split, Table

USAGE = """\
usage: baryon data show run=<dir> [step=N]

List the samples that step N of a run took, the first being step 1: by worker, with the file and
row of each and its label, weight and other single numbers. Without `step`, the last one that its
checkpoint has seen. If the loss of that step was NaN or infinite, the batch that was saved then.

  baryon data show run=runs/latest
  baryon data show run=runs/latest step=17
"""


def run(arguments: Sequence[str]) -> int:
    """Build the run's dataset, compare it with the ledger of its checkpoint, print."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, others = split_arguments(arguments, required=("run",), optional=("step",))
    if others:
        raise BaryonError(f"data show takes run=<dir> and step=<N>, not {others[0]!r}")
    directory = run_directory.find(own["run"])
    plugins = discover()
    plugins.check()
    config = configs.read(directory.config)

    from baryon.report.results import show_table
    from baryon.training import nonfinite
    from baryon.training.build import TRAIN, build_dataset

    with ExitStack() as opened:
        splits = build_dataset(config, plugins).splits
        for split in splits.values():
            opened.callback(split.close)
        ledger = _ledger(directory, config, splits)
        step = _step(own.get("step"), ledger)
        epoch, batch = ledger.position(step - 1)
        say(f"step {step} of {directory.path}: batch {batch + 1} of epoch {epoch + 1}")
        show_table(_samples(ledger, step, splits[TRAIN]))
    for saved in nonfinite.saved(directory.path, step):
        show_table(nonfinite.describe(saved))
    return 0


def _ledger(directory: RunDirectory, config: Config, splits: Mapping[str, Split]) -> Ledger:
    """The run's, as its last checkpoint left it; a run may have been stopped before the first."""
    from baryon.data.ledger import Ledger
    from baryon.data.loader import Loader
    from baryon.training.build import TRAIN, loading
    from baryon.training.checkpoints.folder import LAST, load_last

    loader = Loader(splits[TRAIN], loading(config))
    ledger = Ledger(loader, {name: split.fingerprint() for name, split in splits.items()})
    if (directory.checkpoints / LAST).exists():
        state, _ = load_last(directory.checkpoints)
        ledger.load_state_dict(state["ledger"])
    return ledger


def _step(given: str | None, ledger: Ledger) -> int:
    """Counted from 1; of later steps than the checkpoint's it is known what they will take."""
    if given is None:
        return max(1, ledger.step)
    if not re.fullmatch(r"[0-9]{1,15}", given) or int(given) == 0:
        raise BaryonError(f"step={given} is no number of a step: steps count from 1")
    return int(given)


def _samples(ledger: Ledger, step: int, split: Split) -> Table:
    from baryon.data.contract_check import provides
    from baryon.data.decoding import read_rows
    from baryon.interfaces import Table

    parts = ledger.parts(step - 1)
    single = [name for name, field in split.fields.items() if field.shape == ()]
    has_place = provides(split, "place")
    rows = []
    for worker, wanted in enumerate(parts.values()):
        values = read_rows(split, wanted)
        for number, row in enumerate(wanted.tolist()):
            where = [split.place(row)] if has_place else []
            rows.append([worker, row, *where, *(values[name][number].item() for name in single)])
    columns = ["worker", "sample", *(["where"] if has_place else []), *single]
    later = "" if step <= ledger.step else " (still to come at the last checkpoint)"
    return Table(columns, rows, f"{len(rows)} samples of {len(parts)} workers{later}")

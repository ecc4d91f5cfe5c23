"""Say what is wrong with a dataset, and how fast it is read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.config.compose import Composition
from baryon.config.config import plain
from baryon.plugins.bounds import check_seed
from baryon.plugins.registry import Plugins, checked_plugins
from baryon.runs.directory import unique_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from baryon.data.loading import Loading

NO_MODEL = "~model"
"""Data can be checked before there is a model for them."""


def run(arguments: Arguments) -> int:
    """Compose the dataset's config, check, write the page and show it; 1 if training refused."""
    plugins = checked_plugins()
    composition = compose_or_print(primary.RUN, arguments, plugins, [NO_MODEL])
    if composition is None:
        return 0
    return _check(composition, plugins, arguments["out"], arguments["samples"])


def _check(composition: Composition, plugins: Plugins, out: str | None, samples: int | None) -> int:
    from baryon.data.checks.check import check
    from baryon.data.hdf5.links import following_links
    from baryon.data.hdf5.value_scan import lenient
    from baryon.plugins.components import Choice, prepare
    from baryon.report import check_page

    composed = composition.config
    options = plain(composed.dataset)
    name = options.pop("name", composition.chosen_options["dataset"])
    folder = Path(out or f"checks/{unique_name()}-{name}")
    with ExitStack() as opened:
        # Lenient: a training refuses bad values where it opens a file, a check has to list them.
        with lenient(), following_links(composed.data.follow_links):
            dataset = prepare(plugins, Choice("dataset", name, options))()
        for split in dataset.splits.values():
            opened.callback(split.close)
        loading = _loading(composed)
        if loading.readers:
            opened.callback(loading.readers.close)
            loading.readers.start()  # now, or they would be waited for while speed is measured
        diagnosis = check(dataset, loading, samples)
    check_page.write(diagnosis, name, options, folder)
    check_page.show(diagnosis, folder)
    # Only what stops a training is an error to a script; warnings are for people.
    return 1 if diagnosis.refused else 0


def _loading(composed: DictConfig) -> Loading:
    """Return how a training would read, into memory that no GPU needs."""
    import torch

    from baryon.config.schemas import Data, Train
    from baryon.config.section import section
    from baryon.data.loading import Loading
    from baryon.data.workers.worker_group import WorkerGroup

    check_seed("seed", composed.seed)
    train, data = section(composed, "train", Train), section(composed, "data", Data)
    return Loading(
        batch_size=train.samples_per_step,
        window_mib=data.window_mib,
        prefetch=data.prefetch,
        seed=composed.seed,
        threads=data.threads or torch.get_num_threads(),
        device=torch.device("cpu"),
        readers=WorkerGroup(data.processes) if data.processes else None,
        accumulation_steps=train.accumulation_steps,
    )

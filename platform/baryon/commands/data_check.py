"""`baryon data check dataset=<name>`: what is wrong with the data, and how fast they are read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from baryon.commands.arguments import HELP_FLAGS
from baryon.commands.options_help import options_help
from baryon.config import config
from baryon.errors import BaryonError
from baryon.plugins.bounds import check_seed
from baryon.plugins.registry import discover

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from baryon.data.loader import Loading

OWN = ("out", "samples")

USAGE = """\
usage: baryon data check dataset=<name> [dataset.key=value] [out=<folder>] [samples=<N>]

Read the data as a training would, and say what is wrong with them and how fast it goes: layout of
the files, values, labels and weights, duplicates, checksums. The exit code is 1 if a training
would refuse the data. `samples` looks at about so many of each split, not at all of them.

  baryon data check experiment=hep_demo
  baryon data check dataset=hep_images dataset.train='data/*train*.h5' data.window_mib=64
"""


def run(arguments: Sequence[str]) -> int:
    """Compose the dataset's config, check, write and show."""
    plugins = discover()
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        options_help(USAGE, plugins, groups=("experiment", "dataset"))
        return 0 if arguments else 2
    plugins.check()
    own = dict(a.split("=", 1) for a in arguments if a.startswith(tuple(f"{k}=" for k in OWN)))
    others = [a for a in arguments if a.partition("=")[0] not in OWN]
    samples = _samples(own.get("samples"))
    codes: list[int] = []

    def task(composed: DictConfig) -> None:
        codes.append(_check(composed, own.get("out"), samples))

    config.compose("config", [*others, "~model"], task, plugins)
    return max(codes)


def _samples(given: str | None) -> int | None:
    if given is None:
        return None
    if not given.isdecimal() or int(given) == 0:
        raise BaryonError(f"samples={given} must be a number above 0")
    return int(given)


def _check(composed: DictConfig, out: str | None, samples: int | None) -> int:
    from hydra.core.hydra_config import HydraConfig

    from baryon.data.checks.check import check
    from baryon.data.hdf5.links import following_links
    from baryon.data.hdf5.value_scan import lenient
    from baryon.plugins.components import Choice, prepare
    from baryon.report import check_page

    options = config.plain(composed.dataset)
    chosen = HydraConfig.get().runtime.choices["dataset"]
    name = options.pop("name", chosen)
    folder = Path(out or f"checks/{config.unique_name()}-{name}")
    with ExitStack() as opened:
        with lenient(), following_links(composed.data.follow_links):
            dataset = prepare(discover(), Choice("dataset", name, options))()
        for split in dataset.splits.values():
            opened.callback(split.close)
        loading = _loading(composed)
        if loading.readers:
            opened.callback(loading.readers.close)
            loading.readers.start()  # now, or they would be waited for while speed is measured
        diagnosis = check(dataset, loading, samples)
    check_page.write(diagnosis, name, options, folder)
    check_page.show(diagnosis, folder)
    return 1 if diagnosis.refused else 0


def _loading(composed: DictConfig) -> Loading:
    """As a training would read, into memory that no GPU needs."""
    import torch

    from baryon.config.schemas import Data, Train
    from baryon.config.section import section
    from baryon.data.loader import Loading
    from baryon.data.workers.worker_group import WorkerGroup

    check_seed("seed", composed.seed)
    train, data = section(composed, "train", Train), section(composed, "data", Data)
    return Loading(
        batch_size=train.batch_size,
        window_mib=data.window_mib,
        prefetch=data.prefetch,
        seed=composed.seed,
        threads=data.threads or torch.get_num_threads(),
        device=torch.device("cpu"),
        readers=WorkerGroup(data.processes) if data.processes else None,
    )

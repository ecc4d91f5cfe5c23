"""The living parts of a run, built from its frozen config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from baryon.config.config import Config
from baryon.data.hdf5.links import following_links
from baryon.data.loader import Loader, Loading
from baryon.data.staging import staging
from baryon.data.workers.worker_group import WorkerGroup, pickled_split
from baryon.errors import BaryonError, form
from baryon.interfaces import Communicator, Dataset, Evaluator, Loss, Split
from baryon.plugins.components import prepare
from baryon.plugins.registry import Plugins
from baryon.system.allocator import keep_freed_memory
from baryon.training.autotune.activation_checkpointing import apply_activation_checkpointing
from baryon.training.checkpoints.identity import identity
from baryon.training.model_runner import ModelRunner, choose_device

TRAIN, VALIDATION, TEST = "train", "val", "test"


@dataclass
class TrainedModel:
    """What a run has learned and from what: enough to ask its model about samples."""

    dataset: Dataset
    runner: ModelRunner
    loading: Loading

    def loader(self, split: str) -> Loader:
        """The batches of a split. Raises `BaryonError` if the dataset has no such split."""
        splits = self.dataset.splits
        if split not in splits:
            raise BaryonError(
                f"the dataset has no split {split!r}: give dataset.{split}=<files>; "
                f"it has {', '.join(splits)}"
            )
        if len(splits[split]) == 0:
            raise BaryonError(f"split {split!r} has no samples: give dataset.{split} other files")
        return self.loader_of(splits[split])

    def loader_of(self, split: Split) -> Loader:
        """The batches of a split that is none of the run's, read in its way."""
        return Loader(split, self.loading)

    @property
    def held_out(self) -> str:
        """The split for the final evaluation: the first there is of test, val and train."""
        return next(name for name in (TEST, VALIDATION, TRAIN) if name in self.dataset.splits)

    def close(self) -> None:
        """Let go of files, and of the processes that read them."""
        if self.loading.readers:
            self.loading.readers.close()
        for split in self.dataset.splits.values():
            split.close()


@dataclass
class RunComponents(TrainedModel):
    """The five choices, and how the data is read."""

    loss: Loss
    comm: Communicator
    evaluator: Evaluator
    identity: dict[str, Any]
    """Which software and which choices the run's checkpoints belong to."""
    owners: Mapping[str, str]
    """Kind -> how a message names the chosen component: with its plugin."""


def build_communicator(config: Config, plugins: Plugins) -> Communicator:
    """The first to be built: it knows whether this rank needs any of the others."""
    comm: Communicator = prepare(plugins, config.choices["comm"])()
    return comm


def build_components(config: Config, plugins: Plugins, comm: Communicator) -> RunComponents:
    """Build the other four; what cannot be used is found here, before any training."""
    make_loss = prepare(plugins, config.choices["loss"])
    make_evaluator = prepare(plugins, config.choices["evaluator"])
    trained = build_trained_model(config, plugins)
    return RunComponents(
        dataset=trained.dataset,
        runner=trained.runner,
        loading=trained.loading,
        loss=make_loss(),
        comm=comm,
        evaluator=make_evaluator(),
        identity=identity(config, plugins),
        owners={
            kind: plugins.component(kind, choice.name).owner
            for kind, choice in config.choices.items()
        },
    )


def build_trained_model(config: Config, plugins: Plugins) -> TrainedModel:
    """Dataset and model alone: a finished run may be asked whatever its loss and evaluator took."""
    if choose_device(config.train.device).type == "cpu":
        keep_freed_memory()
    make_model = prepare(plugins, config.choices["model"])
    torch.manual_seed(config.seed)
    with staging(config.data.stage, config.data.stage_mib):
        dataset = build_dataset(config, plugins)
    model: torch.nn.Module = make_model(fields=dataset.splits[TRAIN].augmented_fields)
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise BaryonError(
            f"{plugins.component('model', config.choices['model'].name).owner} has parameters "
            "without a shape, of lazy layers: its factory may ask for `fields`, the shapes of a "
            "sample, and build the layers whole"
        )
    if config.train.activation_checkpointing:
        apply_activation_checkpointing(model)
    return TrainedModel(dataset, ModelRunner(model, config.train), loading(config))


def build_dataset(config: Config, plugins: Plugins) -> Dataset:
    """Open the data. Raises `BaryonError` if a run could not learn from it."""
    choice = config.choices["dataset"]
    with following_links(config.data.follow_links):
        dataset: Dataset = prepare(plugins, choice)()
    _require_contract(plugins.component("dataset", choice.name).owner, dataset)
    if config.data.processes:
        plugin = plugins.component("dataset", choice.name).plugin
        for name, split in dataset.splits.items():
            pickled_split(split, f"split {name!r} of dataset {choice.name!r} of plugin {plugin!r}")
    return dataset


def _require_contract(owner: str, dataset: object) -> None:
    """Raise `BaryonError` unless this is a `Dataset` of `Split`s, one of them for training."""
    if not isinstance(dataset, Dataset):
        raise BaryonError(
            f"{owner}: {type(dataset).__name__} is not a subclass of baryon.interfaces.Dataset"
        )
    splits = dataset.splits
    if not isinstance(splits, Mapping):
        raise BaryonError(f"{owner}: its `splits` is {form(splits)}, not a mapping by name")
    for name, split in splits.items():
        if not isinstance(split, Split):
            raise BaryonError(
                f"{owner}: split {name!r} is {type(split).__name__}, which is not a subclass of "
                "baryon.interfaces.Split"
            )
    if TRAIN not in splits:
        raise BaryonError(f"{owner} has no split {TRAIN!r}, which a run learns from")


def loading(config: Config) -> Loading:
    """How a run reads its samples."""
    return Loading(
        batch_size=config.train.batch_size,
        window_mib=config.data.window_mib,
        prefetch=config.data.prefetch,
        seed=config.seed,
        threads=config.data.threads or torch.get_num_threads(),
        device=choose_device(config.train.device),
        readers=WorkerGroup(config.data.processes) if config.data.processes else None,
        stratify=config.data.stratify,
    )

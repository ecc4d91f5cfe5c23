"""Build the components of a run from its frozen config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from baryon.config.config import Config
from baryon.data.folds.dataset import FoldedDataset
from baryon.data.hdf5.links import following_links
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.data.staging import staging
from baryon.data.workers.worker_group import WorkerGroup, pickled_split
from baryon.errors import BaryonError, form
from baryon.interfaces import Communicator, Dataset, Evaluator, Loss, Split
from baryon.plugins.components import prepare
from baryon.plugins.registry import Plugins
from baryon.runs.provenance import InitialWeights
from baryon.system.allocator import keep_freed_memory
from baryon.training.autotune.activation_checkpointing import apply_activation_checkpointing
from baryon.training.checkpoints.identity import identity
from baryon.training.model_runner import ModelRunner, choose_device
from baryon.training.parameter_groups import check_parameter_groups, freeze

TRAIN, VALIDATION, TEST = "train", "val", "test"


@dataclass
class TrainedModel:
    """A dataset and a model, and how samples are read: enough to call the model on samples.

    Close it to let go of the dataset's files and of the processes that read them.
    """

    dataset: Dataset
    runner: ModelRunner
    loading: Loading

    def loader(self, split: str) -> Loader:
        """Return the loader of a split of the dataset.

        Raises `BaryonError` if the dataset has no such split, or no samples in it.
        """
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
        """Return a loader of any split, which reads it as the run reads its own."""
        return Loader(split, self.loading)

    @property
    def evaluation_split(self) -> str:
        """Name of the split for the final evaluation: the first there is of test, val and train."""
        return next(name for name in (TEST, VALIDATION, TRAIN) if name in self.dataset.splits)

    def close(self) -> None:
        """Close files, and end the processes that read them."""
        if self.loading.readers:
            self.loading.readers.close()
        for split in self.dataset.splits.values():
            split.close()


@dataclass
class RunComponents(TrainedModel):
    """The five components of a run.

    Attributes
    ----------
    loss, comm, evaluator : what the config chooses of these kinds
    identity : the software and the choices that the run's checkpoints belong to
    owners : kind of component -> how messages name the chosen one, with its plugin
    initial_weights : where the model's first weights come from; None if from its factory

    """

    loss: Loss
    comm: Communicator
    evaluator: Evaluator
    identity: dict[str, Any]
    owners: Mapping[str, str]
    initial_weights: InitialWeights | None = None


def build_communicator(config: Config, plugins: Plugins) -> Communicator:
    """Build the communicator, before all else: it knows whether this rank needs anything else."""
    comm: Communicator = prepare(plugins, config.choices["comm"])()
    return comm


def build_components(config: Config, plugins: Plugins, comm: Communicator) -> RunComponents:
    """Build dataset, model, loss and evaluator.

    Raises `BaryonError` for whatever a run could not use, before any training.
    """
    make_loss = prepare(plugins, config.choices["loss"])
    make_evaluator = prepare(plugins, config.choices["evaluator"])
    trained = build_trained_model(config, plugins)
    trained.runner.frozen_modules = freeze(trained.runner.model, config.train.freeze)
    check_parameter_groups(trained.runner.model, config.train.parameter_groups)
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
    """Build dataset and model alone, which is all that predictions need.

    Raises `BaryonError` if the data cannot be trained on, or the model has lazy layers.
    """
    if choose_device(config.train.device).type == "cpu":
        # glibc hands large blocks back to the system at once, and clearing the same pages again in
        # every step took a third of it.
        keep_freed_memory()
    make_model = prepare(plugins, config.choices["model"])
    torch.manual_seed(config.seed)  # decides the first weights, on all ranks the same
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
    """Open the data.

    Raises `BaryonError` if they cannot be read, if the dataset breaks the contract, or if its
    splits cannot be sent to the processes that `data.processes` asks for.
    """
    choice = config.choices["dataset"]
    with following_links(config.data.follow_links):
        dataset: Dataset = prepare(plugins, choice)()
    _require_contract(plugins.component("dataset", choice.name).owner, dataset)
    if config.train.folds is not None and config.train.fold is not None:
        dataset = FoldedDataset(dataset, config.train.folds, config.train.fold)
    if config.data.processes:
        plugin = plugins.component("dataset", choice.name).plugin
        for name, split in dataset.splits.items():
            pickled_split(split, f"split {name!r} of dataset {choice.name!r} of plugin {plugin!r}")
    return dataset


def _require_contract(owner: str, dataset: object) -> None:
    """Raise `BaryonError` unless a dataset is a `Dataset` of `Split`s, one of them for training."""
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
    """Return how a run reads its samples."""
    return Loading(
        batch_size=config.train.samples_per_step,
        window_mib=config.data.window_mib,
        prefetch=config.data.prefetch,
        seed=config.seed,
        threads=config.data.threads or torch.get_num_threads(),
        device=choose_device(config.train.device),
        readers=WorkerGroup(config.data.processes) if config.data.processes else None,
        stratify=config.data.stratify,
        accumulation_steps=config.train.accumulation_steps,
    )

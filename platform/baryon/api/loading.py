"""Load a run's trained model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from baryon.config import frozen_file
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory

if TYPE_CHECKING:
    from baryon.export.exported_model import Exported

ON_CPU = (
    "comm=serial",
    "train.device=cpu",
    "train.precision=fp32",
    "train.activation_checkpointing=false",
)
"""How a model is computed outside a run, however it was trained."""


def load_model(run: RunDirectory, plugins: Plugins, weights: str | None = None) -> Exported:
    """Return the model with its normalisation before it; see `baryon.Run.load_model`."""
    config = frozen_file.read(run.config, ON_CPU, plugins)

    from baryon.api.weights import chosen_weights
    from baryon.export.exported_model import Exported
    from baryon.training.build import TRAIN, build_trained_model
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights

    checkpoint = chosen_weights(run, weights, config.train.weights)
    with closing(build_trained_model(config, plugins)) as trained:
        put_weights(trained.runner.model, schema.read_weights(checkpoint), checkpoint)
        # Values are normalised as in training, whatever the files are that the model will see.
        split = trained.dataset.splits[TRAIN]
        axes = len(split.fields["inputs"].shape)
        return Exported(trained.runner.model, split.normalisation(), axes).eval()

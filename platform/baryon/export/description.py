"""Describe an exported model in its file: enough to build the model and to feed it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from baryon.errors import BaryonError
from baryon.export.exported_model import Exported
from baryon.interfaces import Field, Normalisation
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import Plugins
from baryon.system.plain_data import (
    Shape,
    fits,
    is_count,
    is_mapping,
    is_number,
    is_text,
    mapping_of,
    optional,
)

KEY = "baryon"
"""Name of the metadata of a file that hold its description, as JSON."""
VERSION = 1
NORMALISATION: dict[str, Shape] = {
    "channels": [is_text],
    "offset": [is_number],
    "scale": [is_number],
}
FIELD: Shape = {"shape": [is_count], "dtype": is_text}
SHAPE: Shape = {
    "model": {"name": is_text, "arguments": is_mapping},
    "fields": lambda fields: fits(fields, {"inputs": FIELD}) and fits(fields, mapping_of(FIELD)),
    "normalisation": optional(NORMALISATION),
}
"""Shape of a description; see `baryon.system.plain_data.fits`."""


def describe(
    model: Choice,
    fields: Mapping[str, Field],
    normalisation: Normalisation | None,
    outputs: Mapping[str, tuple[int, ...]],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the description of a model as plain values.

    Parameters
    ----------
    model
        The model's name and arguments.
    fields
        Fields of the dataset, for which the model is built.
    normalisation
        The scaling in front of the model, or None.
    outputs
        Shapes of the outputs of one sample, by name.
    origin
        Further entries, such as the run that the model comes from.

    """
    return {
        "version": VERSION,
        "model": {"name": model.name, "arguments": dict(model.arguments)},
        "fields": {name: dataclasses.asdict(field) for name, field in fields.items()},
        "normalisation": dataclasses.asdict(normalisation) if normalisation else None,
        "outputs": {name: list(shape) for name, shape in outputs.items()},
        **origin,
    }


def build(description: Mapping[str, Any], plugins: Plugins) -> Exported:
    """Build the described model with its normalisation; its weights are still random.

    Raises
    ------
    BaryonError
        If no plugin offers the model, or if the description is damaged or of another version.

    """
    if not isinstance(description, Mapping) or description.get("version") != VERSION:
        raise BaryonError("the exported model is of another version than this Baryon reads")
    if not fits(description, SHAPE):
        raise BaryonError("the description in the exported model is damaged")
    choice = description["model"]
    fields = {
        name: Field(tuple(field["shape"]), field["dtype"])
        for name, field in description["fields"].items()
    }
    model = prepare(plugins, Choice("model", choice["name"], choice["arguments"]))(fields=fields)
    scaling = description["normalisation"]
    normalisation = (
        Normalisation(**{key: tuple(scaling[key]) for key in NORMALISATION}) if scaling else None
    )
    return Exported(model.eval(), normalisation, len(fields["inputs"].shape))


def as_json(description: Mapping[str, Any]) -> str:
    """Return a description as it stands in a file."""
    return json.dumps(description)

"""What an exported file says of itself: enough to build the model and to feed it."""

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
"""Under which a file carries its description, as JSON."""
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
"""What a description holds."""


def describe(
    model: Choice,
    fields: Mapping[str, Field],
    normalisation: Normalisation | None,
    outputs: Mapping[str, tuple[int, ...]],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """As plain values. `outputs` are the shapes of one sample's, by name."""
    return {
        "version": VERSION,
        "model": {"name": model.name, "arguments": dict(model.arguments)},
        "fields": {name: dataclasses.asdict(field) for name, field in fields.items()},
        "normalisation": dataclasses.asdict(normalisation) if normalisation else None,
        "outputs": {name: list(shape) for name, shape in outputs.items()},
        **origin,
    }


def build(description: Mapping[str, Any], plugins: Plugins) -> Exported:
    """The model with its normalisation, its weights still random.

    Raises `BaryonError` if no plugin offers the model, or for a description of another version.
    """
    if not isinstance(description, Mapping) or description.get("version") != VERSION:
        raise BaryonError("this version of exported models is not known here")
    if not fits(description, SHAPE):
        raise BaryonError("what the exported model says of itself is damaged")
    chosen = description["model"]
    fields = {
        name: Field(tuple(field["shape"]), field["dtype"])
        for name, field in description["fields"].items()
    }
    model = prepare(plugins, Choice("model", chosen["name"], chosen["arguments"]))(fields=fields)
    told = description["normalisation"]
    normalisation = Normalisation(**{k: tuple(told[k]) for k in NORMALISATION}) if told else None
    return Exported(model.eval(), normalisation, len(fields["inputs"].shape))


def as_json(description: Mapping[str, Any]) -> str:
    """For the file."""
    return json.dumps(description)

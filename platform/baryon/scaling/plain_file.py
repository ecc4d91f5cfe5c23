"""Read the YAML and JSON files that describe machines and networks, as plain data."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, did_you_mean
from baryon.system.plain_data import read_json, read_yaml


def read_description(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Return the path and the content of a description.

    Parameters
    ----------
    kind
        `machine` or `network`.
    name
        The name of a shipped description, or the path of a `.yaml`, `.yml` or `.json` file.

    Raises
    ------
    BaryonError
        If there is no such description, or it cannot be read within the limits of plain data.

    """
    shipped = shipped_descriptions(kind)
    path = shipped.get(name, Path(name))
    if name not in shipped and path.suffix not in (".yaml", ".yml", ".json"):
        raise BaryonError(
            f"no {kind} {name!r:.80} is described: give the name of a .yaml or .json file, or "
            f"{did_you_mean(shipped, name)}"
        )
    return path, read_json(path) if path.suffix == ".json" else read_yaml(path)


def shipped_descriptions(kind: str) -> dict[str, Path]:
    """Return the descriptions that come with Baryon, by name."""
    folder = Path(str(resources.files("baryon.scaling"))) / f"{kind}s"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}

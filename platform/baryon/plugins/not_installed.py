"""Find out why an option that somebody has written is not there: its plugin is not installed."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, distributions, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from baryon.plugins.hookspecs import ENTRY_POINT_GROUP

MOST_PROJECTS = 100
"""Folders of the working directory that are looked into."""
LARGEST_PROJECT_FILE = 2**18
ADD_ENTRY_POINT = (
    'add [project.entry-points.baryon] with <plugin> = "<package>" to its pyproject.toml, and '
    "install it again"
)


def reason(group: str, name: str) -> str:
    """Return why an option is not offered, as a part of a sentence; "" if nothing tells.

    Looks for its YAML file in blocked plugins, in installed packages that need Baryon, and in
    projects in the working directory.
    """
    option = Path("conf") / group / f"{name}.yaml"
    for found in (_blocked(option), _without_entry_point(option), _not_installed(option)):
        if found:
            return found
    return ""


def _blocked(option: Path) -> str:
    disabled = {name.strip() for name in os.environ.get("BARYON_DISABLE", "").split(",")}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in disabled and any((f / option).is_file() for f in _folders(point.module)):
            return f"plugin {point.name!r} has it, and is blocked by BARYON_DISABLE"
    return ""


def _folders(package: str) -> list[Path]:
    spec = None
    with suppress(ImportError, ValueError):  # it is broken in another way as well
        spec = find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _without_entry_point(option: Path) -> str:
    for distribution in distributions():
        if distribution.entry_points.select(group=ENTRY_POINT_GROUP):
            continue
        if _has_file(distribution, option):
            name = distribution.metadata["Name"]
            return (
                f"{name} is installed and has it, but has no entry point of the group "
                f"{ENTRY_POINT_GROUP!r}: {ADD_ENTRY_POINT}"
            )
    return ""


def _has_file(distribution: Distribution, option: Path) -> bool:
    source = _editable_source(distribution)
    if source is not None:
        return _project_has(source, option)
    needs = [requirement.lower() for requirement in distribution.requires or []]
    if not any(requirement.startswith("baryon") for requirement in needs):
        return False
    files = distribution.files or []
    return any(file.parts[-len(option.parts) :] == option.parts for file in files)


def _editable_source(distribution: Distribution) -> Path | None:
    """Return the folder that a distribution was installed from with --editable (PEP 610)."""
    try:
        origin: Any = json.loads(distribution.read_text("direct_url.json") or "{}")
        editable, url = origin.get("dir_info", {}).get("editable"), origin.get("url", "")
    except (ValueError, AttributeError):
        return None
    return Path(unquote(urlsplit(url).path)) if editable else None


def _not_installed(option: Path) -> str:
    for project in _projects():
        if not _project_has(project, option):
            continue
        folder = os.path.relpath(project)
        if _declares_plugin(project):
            return (
                f"{folder} has it, but is not installed for {sys.executable}: pip install "
                f"--editable {folder}"
            )
        return f"{folder} has it, but no entry point of the group 'baryon': {ADD_ENTRY_POINT}"
    return ""


def _projects() -> Iterator[Path]:
    """Generate the Python projects in the working directory that are not Baryon's own."""
    working_directory = Path.cwd()
    # A home directory may have thousands, and this only makes a message better.
    folders = [working_directory, *sorted(working_directory.glob("*/"))[:MOST_PROJECTS]]
    yield from (folder for folder in folders if (folder / "pyproject.toml").is_file())


def _project_has(project: Path, option: Path) -> bool:
    return any(
        (folder / option).is_file()
        for pattern in ("*/", "src/*/")
        for folder in project.glob(pattern)
    )


def _declares_plugin(project: Path) -> bool:
    path = project / "pyproject.toml"
    try:
        if path.stat().st_size > LARGEST_PROJECT_FILE:
            return False
        table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        return bool(table["project"]["entry-points"][ENTRY_POINT_GROUP])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False

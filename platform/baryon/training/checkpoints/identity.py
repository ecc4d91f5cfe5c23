"""Tell whether a checkpoint belongs to a run: to its config and to the software it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baryon import __version__
from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins

MAY_CHANGE = ("comm", "evaluator")
"""Kinds of components that a resumed run may choose anew."""
KEYS_THAT_MAY_CHANGE = (
    *(f"{kind}." for kind in MAY_CHANGE),
    "data.processes",
    "data.threads",
    "data.stage",
)
"""Beginnings of the config keys that a resumed run may change: each step still has its samples."""


def identity(config: Config, plugins: Plugins) -> dict[str, Any]:
    """Return the components that weights depend on, and the versions of their plugins."""
    choices = {k: choice.name for k, choice in config.choices.items() if k not in MAY_CHANGE}
    owners = {plugins.component(kind, name).plugin for kind, name in choices.items()}
    versions = {p.name: f"{p.distribution} {p.version}" for p in plugins.all if p.name in owners}
    return {"baryon": __version__, "choices": choices, "plugins": versions}


def require_same_config(path: Path, saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Raise `BaryonError` if a key has another value than in the run that wrote a checkpoint.

    Keys that `baryon resume` may change do not count. The checkpoint holds the config and not its
    digest alone, so that the message can name the key.
    """
    then, now = flat(saved), flat(current)
    changed = [
        f"{key}={then.get(key, 'absent')}, here it is {now.get(key, 'absent')}"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key) and not key.startswith(KEYS_THAT_MAY_CHANGE)
    ]
    if changed:
        more = f" (and {len(changed) - 1} keys more)" if len(changed) > 1 else ""
        raise BaryonError(
            f"{path} was written with {changed[0]}{more}: put the run's config.yaml back as it "
            "was, or start a new run"
        )


def require_same(
    path: Path, saved: Mapping[str, Any], current: Mapping[str, Any], *, any_version: bool
) -> None:
    """Raise `BaryonError` for a checkpoint of other components, or of other versions of plugins.

    `saved` and `current` are what `identity` returned then and returns now. With `any_version`
    versions do not count.
    """
    for kind, name in current["choices"].items():
        other = saved["choices"].get(kind)
        if other != name:
            raise BaryonError(
                f"{path} was written with {kind} {other!r}, this run has {kind} {name!r}: put the "
                "run's own checkpoint there"
            )
    if any_version:
        return
    pairs = {"baryon": (saved["baryon"], current["baryon"])} | {
        f"plugin {name!r}": (saved["plugins"].get(name, "another plugin"), version)
        for name, version in current["plugins"].items()
    }
    for what, (then, now) in pairs.items():
        if then != now:
            raise BaryonError(
                f"{path} was written with {what} {then}, here is {now}: install that version, or "
                "go on with this one by versions=any"
            )

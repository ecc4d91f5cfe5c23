"""Keep what was measured on this machine in the user's cache folder, as small JSON files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.system.atomic import write_text


def cached(kind: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the value that was kept under a key, or None if there is none that can be read."""
    try:
        entry = json.loads(cache_path(kind, key).read_text(encoding="utf-8"))
        # The file's name is a short hash of the key: compare the key itself as well.
        return dict(entry["value"]) if entry["key"] == _plain(key) else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None  # damaged, or somebody else's: it is measured again


def keep(kind: str, key: Mapping[str, Any], value: Mapping[str, Any]) -> None:
    """Keep a value under a key, if the cache folder can be written to."""
    path = cache_path(kind, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"key": key, "value": value}, indent=1, default=str) + "\n")
    except (OSError, BaryonError):
        return  # it is measured again next time


def cache_path(kind: str, key: Mapping[str, Any]) -> Path:
    """Return the JSON file of a key; what is too large for JSON may lie beside it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(json.dumps(_plain(key), sort_keys=True).encode()).hexdigest()[:16]
    return Path(base) / "baryon" / kind / f"{digest}.json"


def _plain(key: Mapping[str, Any]) -> Any:
    """Return a key as it comes back from JSON."""
    return json.loads(json.dumps(key, default=str))

"""What was measured once on this machine, kept in the user's cache folder as small JSON files."""

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
    """What was kept under this key; None if nothing was, or it cannot be read."""
    try:
        kept = json.loads(_path(kind, key).read_text(encoding="utf-8"))
        return dict(kept["value"]) if kept["key"] == _plain(key) else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def keep(kind: str, key: Mapping[str, Any], value: Mapping[str, Any]) -> None:
    """Keep a value; where nothing can be written it is measured again next time."""
    path = _path(kind, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"key": key, "value": value}, indent=1, default=str) + "\n")
    except (OSError, BaryonError):
        return


def _path(kind: str, key: Mapping[str, Any]) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(json.dumps(_plain(key), sort_keys=True).encode()).hexdigest()[:16]
    return Path(base) / "baryon" / kind / f"{digest}.json"


def _plain(key: Mapping[str, Any]) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(key, default=str))

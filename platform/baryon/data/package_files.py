"""Files that installed packages bring, as `pkg://package/path`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from baryon.errors import BaryonError


def package_folder(package: str) -> Path:
    """Where an installed package lies. It is not imported: the name may come with somebody's run.

    Raises `BaryonError` for a name of no package.
    """
    try:  # of a dotted name Python would import the first part to find the second
        spec = find_spec(package) if package.isidentifier() else None
    except ValueError:  # __main__
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise BaryonError(
            f"pkg://{package}/... is in no installed package of that name: install it, or give "
            "a path"
        )
    return Path(next(iter(spec.submodule_search_locations)))

"""Find files that installed packages bring, named as `pkg://package/path`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from baryon.errors import BaryonError


def package_folder(package: str) -> Path:
    """Return the folder of an installed package, without importing it.

    Raises
    ------
    BaryonError
        If no package of this name is installed.

    """
    try:
        # The name may come with somebody's run, so nothing of it may be executed. To find a dotted
        # name Python would import its first part: only plain names are looked up.
        spec = find_spec(package) if package.isidentifier() else None
    except ValueError:  # __main__ has no spec
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise BaryonError(
            f"pkg://{package}/... is in no installed package of that name: install it, or give "
            "a path"
        )
    return Path(next(iter(spec.submodule_search_locations)))

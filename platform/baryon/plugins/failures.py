"""Say where in a plugin's own code an error arose, and of which component that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

from baryon.errors import format_error
from baryon.plugins.hookspecs import ENTRY_POINT_GROUP


def format_failure(error: Exception) -> str:
    """Return an error of a plugin's code in one line, with the file and line of that code."""
    place = location(error)
    return f"{format_error(error)} ({place})" if place else format_error(error)


def location(error: BaseException) -> str:
    """Return the last line of a plugin's own code that an error came through.

    Such as `acme_baryon/mlp.py:17`; "" if it came through none.
    """
    # The last one: deeper frames are a library's, which the plugin's author cannot mend.
    places = list(_in_plugins(error))
    if not places:
        return ""
    frame, number = places[-1]
    path = Path(frame.f_code.co_filename)
    parts = _module(frame).count(".") + 1 + (path.name == "__init__.py")
    return f"{Path(*path.parts[-parts:])}:{number}"


def failed_target(error: BaseException, targets: Iterable[str]) -> str | None:
    """Return which of the components' targets an error came from, None if from none of them.

    It is the one in whose module the last line of a plugin stands, else the first of that plugin.
    """
    modules = [_module(frame) for frame, _ in _in_plugins(error)]
    if not modules:
        return None
    by_module = {target.partition(":")[0]: target for target in reversed([*targets])}
    if modules[-1] in by_module:
        return by_module[modules[-1]]
    package = _package(modules[-1])
    return next((target for name, target in by_module.items() if _package(name) == package), None)


def _in_plugins(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Generate the frames of an error's traceback that run a plugin's code, with their lines."""
    packages = {_package(point.module) for point in entry_points(group=ENTRY_POINT_GROUP)}
    traceback = error.__traceback__
    while traceback is not None:
        if _package(_module(traceback.tb_frame)) in packages:
            yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _package(module: str) -> str:
    return module.partition(".")[0]

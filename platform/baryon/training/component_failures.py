"""Say in one line which component failed in the middle of a training, and keep the traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.plugins.failures import failed_target, format_failure
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory
from baryon.system.atomic import write_text


@contextmanager
def component_failures(config: Config, plugins: Plugins, run: RunDirectory) -> Iterator[None]:
    """Raise `BaryonError` for what a component's code raises in the block.

    The traceback goes into the run's folder. Errors of Baryon itself, and of communicators, whose
    cause is often what another rank did, pass as they are: whoever mends these needs all of them.
    """
    chosen = [
        plugins.component(kind, choice.name)
        for kind, choice in config.choices.items()
        if kind != "comm"
    ]
    try:
        yield
    except BaryonError:
        raise
    except Exception as error:
        target = failed_target(error, [component.target for component in chosen])
        if target is None:
            raise
        component = next(component for component in chosen if component.target == target)
        write_text(run.traceback, "".join(traceback.format_exception(error)))
        raise BaryonError(
            f"{component.owner} failed: {format_failure(error)}; the traceback is in "
            f"{run.traceback}"
        ) from error

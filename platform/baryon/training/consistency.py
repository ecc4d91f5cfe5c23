"""See to it that all ranks do the same run, or none does."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.errors import TRACEBACK, BaryonError
from baryon.interfaces import Communicator
from baryon.plugins.registry import Plugins
from baryon.runs.versions import versions
from baryon.terminal.console import speak
from baryon.training.build import RunComponents, build_communicator

FAILURE = "failure"


@contextmanager
def distributed_run(config: Config, plugins: Plugins) -> Iterator[Communicator]:
    """Build the communicator of a run, and close it after the block.

    An error of one rank ends all ranks, and is reported once.
    """
    comm = build_communicator(config, plugins)
    speak(aloud=comm.is_leader)
    try:
        yield comm
    except BaryonError as error:
        text = f"baryon: error: {error}"
        if os.environ.get(TRACEBACK):
            text = f"{traceback.format_exc()}{text}"
        comm.abort(text)
        raise
    except SystemExit:  # all ranks were stopped in good order
        comm.close()
        raise
    except Exception:  # a fault of Baryon or a plugin: whoever mends it needs the traceback
        comm.abort(traceback.format_exc())
        raise
    comm.close()


def build_consistently(
    comm: Communicator, config: Config, plugins: Plugins, build: Callable[[], RunComponents | None]
) -> RunComponents | None:
    """Build this rank's components, and compare the ranks before any of them trains. Collective.

    Parameters
    ----------
    comm
        The communicator.
    config, plugins
        What this rank builds from.
    build
        Builds the components; None on a parameter server.

    Raises
    ------
    BaryonError
        On all ranks, if one of them failed to build, or differs from rank 0 in versions, plugins,
        config or data.

    """
    components: RunComponents | None = None
    failure: BaryonError | None = None
    try:
        components = build()
        description = _describe(config, plugins, components)
    except BaryonError as error:
        failure, description = error, {FAILURE: str(error)}
    of_ranks = comm.all_gather_object({"host": socket.gethostname(), **description})
    for rank, of_rank in enumerate(of_ranks):
        if FAILURE in of_rank:
            where = f" (rank {rank} on {of_rank['host']})" if len(of_ranks) > 1 else ""
            raise BaryonError(of_rank[FAILURE] + where) from failure
    _require_equal(of_ranks)
    return components


def _describe(config: Config, plugins: Plugins, components: RunComponents | None) -> dict[str, Any]:
    """Return all that must be the same on all ranks; a parameter server has no data."""
    software = versions(plugins)
    decisive = {key: value for key, value in config.values.items() if key != "run"}
    description = {
        "Baryon": software["baryon"],
        "Python": software["python"],
        "plugins": software["plugins"],
        "libraries": software["libraries"],
        "config": flat(decisive),
    }
    if components is not None:
        splits = components.dataset.splits
        description["data"] = {name: split.fingerprint() for name, split in splits.items()}
    return description


def _require_equal(of_ranks: Sequence[Mapping[str, Any]]) -> None:
    """Raise `BaryonError` that names the ranks that differ from rank 0, and one difference."""
    first = of_ranks[0]
    for what in [key for key in first if key != "host"]:
        ranks = [
            rank
            for rank, of_rank in enumerate(of_ranks)
            if what in of_rank and of_rank[what] != first[what]
        ]
        if ranks:
            other = of_ranks[ranks[0]]
            raise BaryonError(
                f"rank {', '.join(map(str, ranks))} ({other['host']}) and rank 0 "
                f"({first['host']}) disagree on {what}: {_difference(other[what], first[what])}; "
                "start all ranks with the same arguments in the same environment"
            )


def _difference(value: Any, expected: Any) -> str:
    """Say in what two values differ, of mappings the first three keys."""
    if not isinstance(value, Mapping):
        return f"{value}, not {expected}"
    keys = sorted(
        key for key in value.keys() | expected.keys() if value.get(key) != expected.get(key)
    )
    return "; ".join(f"{key} {value.get(key)}, not {expected.get(key)}" for key in keys[:3])

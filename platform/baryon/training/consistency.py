"""All ranks do the same run, or none does."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from baryon.config.config import Config
from baryon.errors import TRACEBACK, BaryonError
from baryon.interfaces import Communicator
from baryon.plugins.registry import Plugins
from baryon.runs.versions import versions
from baryon.terminal.console import speak
from baryon.training.build import RunComponents, build_communicator

FAILURE = "failure"


@contextmanager
def distributed_run(config: Config, plugins: Plugins) -> Iterator[Communicator]:
    """The run's communicator; an error on one rank ends all of them, and is said once."""
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
    except SystemExit:  # stopped in good order, on all ranks
        comm.close()
        raise
    except Exception:
        comm.abort(traceback.format_exc())
        raise
    comm.close()


def build_consistently(
    comm: Communicator, config: Config, plugins: Plugins, build: Callable[[], RunComponents | None]
) -> RunComponents | None:
    """What `build` makes on this rank, once all ranks have made theirs of the same ingredients.

    Raises `BaryonError` on all ranks if one of them failed, or differs in its versions, its
    plugins, its config or its data.
    """
    components: RunComponents | None = None
    failure: BaryonError | None = None
    try:
        components = build()
        mine = _identity(config, plugins, components)
    except BaryonError as error:
        failure, mine = error, {FAILURE: str(error)}
    everyone = comm.all_gather_object({"host": socket.gethostname(), **mine})
    for rank, one in enumerate(everyone):
        if FAILURE in one:
            where = f" (rank {rank} on {one['host']})" if len(everyone) > 1 else ""
            raise BaryonError(one[FAILURE] + where) from failure
    _require_alike(everyone)
    return components


def _identity(config: Config, plugins: Plugins, components: RunComponents | None) -> dict[str, Any]:
    """What must be the same on all ranks; a server has no data."""
    software = versions(plugins)
    splits = components.dataset.splits if components else {}
    decisive = {key: value for key, value in config.values.items() if key != "run"}
    return {
        "Baryon": software["baryon"],
        "Python": software["python"],
        "plugins": software["plugins"],
        "libraries": software["libraries"],
        "config": _flat(decisive),
        **(
            {"data": {name: split.fingerprint() for name, split in splits.items()}}
            if components
            else {}
        ),
    }


def _require_alike(everyone: list[dict[str, Any]]) -> None:
    first = everyone[0]
    for what in [key for key in first if key != "host"]:
        others = [n for n, one in enumerate(everyone) if what in one and one[what] != first[what]]
        if others:
            other = everyone[others[0]]
            raise BaryonError(
                f"rank {', '.join(map(str, others))} ({other['host']}) and rank 0 "
                f"({first['host']}) disagree on {what}: {_difference(other[what], first[what])}; "
                "start all ranks with the same arguments in the same environment"
            )


def _difference(one: Any, other: Any) -> str:
    if not isinstance(one, Mapping):
        return f"{one}, not {other}"
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return "; ".join(f"{key} {one.get(key)}, not {other.get(key)}" for key in keys[:3])


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found

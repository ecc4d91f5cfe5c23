"""A benchmark starts itself again as several ranks; the first one answers in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from baryon.config.config import option_values
from baryon.interfaces import Communicator
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover

AS_RANK = "--as-rank"


def on_ranks(script: str, ranks: int, **told: Any) -> Any:
    """Run `script --as-rank <told as JSON>` under mpiexec; what rank 0 printed last, from JSON."""
    command = launch_command(ranks, [sys.executable, script, AS_RANK, json.dumps(told)])
    environment = launch_environment(ranks) | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{script} on {ranks} ranks failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def told() -> dict[str, Any] | None:
    """What `on_ranks` told this process, if it is a rank."""
    if AS_RANK not in sys.argv:
        return None
    found: dict[str, Any] = json.loads(sys.argv[sys.argv.index(AS_RANK) + 1])
    return found


def communicator(name: str, **options: Any) -> Communicator:
    """The option's own values, changed by `options`."""
    plugins = discover()
    values = option_values(f"comm={name}", "comm", name, plugins)
    component = values.pop("name", name)
    comm: Communicator = prepare(plugins, Choice("comm", component, {**values, **options}))()
    comm.all_gather_object("here")
    return comm

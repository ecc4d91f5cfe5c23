"""Let a benchmark start itself again as several ranks, of which the first answers in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from baryon.config.option_values import option_values
from baryon.interfaces import Communicator
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover

AS_RANK = "--as-rank"


def on_ranks(script: str, ranks: int, **task: Any) -> Any:
    """Run `script --as-rank <task as JSON>` under mpiexec.

    Return the value of the last line that rank 0 printed, which is JSON.
    """
    command = launch_command(ranks, [sys.executable, script, AS_RANK, json.dumps(task)])
    environment = launch_environment(ranks) | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{script} on {ranks} ranks failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def task_of_rank() -> dict[str, Any] | None:
    """Return the task that `on_ranks` gave this process, or None if it is not a rank."""
    if AS_RANK not in sys.argv:
        return None
    task: dict[str, Any] = json.loads(sys.argv[sys.argv.index(AS_RANK) + 1])
    return task


def communicator(name: str, **options: Any) -> Communicator:
    """Build a communicator from an option's own values, changed by `options`."""
    plugins = discover()
    values = option_values(f"comm={name}", "comm", name, plugins)
    component = values.pop("name", name)
    comm: Communicator = prepare(plugins, Choice("comm", component, {**values, **options}))()
    comm.all_gather_object("here")
    return comm

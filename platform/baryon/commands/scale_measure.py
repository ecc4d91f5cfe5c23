"""Measure this machine with a network, for predictions of how training would scale."""

from __future__ import annotations

from pathlib import Path

from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import checked_plugins
from baryon.runs.directory import unique_name
from baryon.system.atomic import require_new
from baryon.terminal.console import say, warn

BATCHES = (1, 2, 4, 8)
REPEATS = 10
LEAST_RANKS_FOR_ALGORITHM = 4
"""Of two or three ranks a ring has as many messages one after the other as a tree."""


def run(arguments: Arguments) -> int:
    """Compose a run's config, measure, write the file."""
    plugins = checked_plugins()
    batches = arguments["batches"] or BATCHES
    ranks = cluster_environment().ranks
    # The first batch that is read is the one that is computed.
    enough = f"train.batch_size={max(batches) * ranks}"
    composition = compose_or_print(primary.RUN, arguments, plugins, [enough])
    if composition is None:
        return 0

    from baryon.runs.directory import write_json
    from baryon.scaling.measure.measure import measure

    path = Path(arguments["out"] or f"scaling/{unique_name()}-measurement.json")
    require_new(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = measure(
        composition.frozen(), plugins, batches, arguments["repeats"] or REPEATS, path.parent
    )
    if content is None:
        return 0
    write_json(path, content)
    if 1 < ranks < LEAST_RANKS_FOR_ALGORITHM:
        warn(
            f"{ranks} ranks do not tell whether sums go in rings or trees: "
            f"collectives={content['collectives']} is assumed; edit it in the file"
        )
    if "messages" not in content:
        warn(
            "one process sends no messages: latency and bandwidth are not in the file; start "
            "several with `baryon launch ranks=<N> scale measure ... comm=sync`, or write them in"
        )
    say(f"{path} holds the measurement: baryon scale predict machine={path} nodes=1..64")
    return 0

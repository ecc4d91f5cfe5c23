"""Predict how the training of a network scales on a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from baryon.commands.arguments import Arguments
from baryon.errors import BaryonError
from baryon.runs.directory import unique_name
from baryon.terminal.console import name_report, say, warn

DEFAULT_BATCH = 8


def run(arguments: Arguments) -> int:
    """Read machine and network, predict, write the page and show the tables."""
    from baryon.report.results import show_table
    from baryon.scaling import page, tables
    from baryon.scaling.measurement import read_machine_and_network
    from baryon.scaling.study import fewest_nodes, study

    machine, network = read_machine_and_network(arguments["machine"], arguments["model"])
    if arguments["batch"] and arguments["group_batch"]:
        raise BaryonError(
            "give batch= (of a node: weak scaling) or group_batch= (strong), not both"
        )
    request = _request(arguments, int(machine["least_batch"]))
    if arguments["rate"]:
        nodes = fewest_nodes(machine, network, request, arguments["rate"])
        say(f"{arguments['rate']:,} samples/s need {nodes:,} nodes with {request.comms[0]}")
        # The page then shows just the answer, not a curve around it.
        request = replace(request, nodes=(nodes,))
    result = study(machine, network, request)
    folder = Path(arguments["out"] or f"scaling/{unique_name()}-{machine.name}-{network.name}")
    page.write_study(result, folder)
    show_table(tables.of_speed(result))
    show_table(tables.of_losses(result))
    for note in tables.notes(result):
        warn(note)
    say(tables.summary(result))
    name_report(folder / "report.html")
    return 0


def _request(arguments: Arguments, least_batch: int) -> Any:
    from baryon.scaling.prediction import Settings
    from baryon.scaling.study import Request

    defaults = Settings()
    return Request(
        nodes=arguments["nodes"] or (),
        comms=arguments["comm"] or Request.comms,
        groups=arguments["groups"] or (),
        servers=arguments["servers"] or (),
        samples=arguments["batch"] or max(DEFAULT_BATCH, least_batch),
        group_samples=arguments["group_batch"],
        checkpoint_every=arguments["checkpoint_every"] or 0,
        settings=Settings(
            steps=arguments["steps"] or defaults.steps,
            window=arguments["window"] or defaults.window,
            hours=arguments["hours"] or defaults.hours,
            seed=arguments["seed"] if arguments["seed"] is not None else defaults.seed,
        ),
    )

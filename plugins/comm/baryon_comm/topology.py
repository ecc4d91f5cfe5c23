"""The picture of a hybrid run: its groups, workers and servers, deaths and staleness by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from baryon import figures
from baryon.terminal.units import counted
from baryon_comm.mpi.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_GROUPS = 6
MAX_WORKERS = 8
"""Workers of a group that are drawn."""
MAX_SERVERS = 12
MAX_DEATHS = 6
"""Deaths that are named in the timeline."""
_FEW_GROUPS = 3
"""Groups whose boxes have room for four workers in a row; more have it for two."""


@dataclass(frozen=True)
class HybridRun:
    """What happened to the ranks of a run."""

    layout: Layout
    deaths: Mapping[int, int | None] = field(default_factory=dict)
    """Rank that died -> step in which it was noticed; None if no worker knows."""
    staleness: Mapping[int, Sequence[tuple[int, float]]] = field(default_factory=dict)
    """Group -> mean staleness of its gradients, by step."""
    steps: int = 0
    """Steps of the worker that made most."""


def draw_topology(run: HybridRun) -> Figure:
    """Draw the ranks by their roles, and below them the staleness and the deaths by step."""
    caption = (
        "Groups of workers and their parameter servers by rank, and below the staleness of each "
        "group's gradients by step; crosses are deaths"
    )
    with figures.style():
        figure = figures.new(9, 5.4, caption)
        ranks, timeline = figure.subplots(2, 1, height_ratios=(1.25, 1))
        _draw_ranks(ranks, run)
        _draw_timeline(timeline, run)
        figures.lay_out(figure)
    return figure


def _draw_ranks(axes: Axes, run: HybridRun) -> None:
    layout = run.layout
    groups = range(min(layout.num_groups, MAX_GROUPS))
    servers = list(layout.server_ranks())[:MAX_SERVERS]
    places = {rank: (n + 0.5) * len(groups) / len(servers) for n, rank in enumerate(servers)}
    for group in groups:
        for place in places.values():
            axes.plot([group + 0.5, place], [1.0, 0.3], color=figures.GREY, linewidth=0.6, zorder=0)
        _draw_group(axes, run, group, across=4 if len(groups) <= _FEW_GROUPS else 2)
    for rank, place in places.items():
        _draw_rank(axes, rank, (place, 0.2), figures.GREEN, "o", dead=rank in run.deaths)
    axes.set(xlim=(0, len(groups)), ylim=(-0.15, 2.35))
    axes.set_axis_off()
    axes.set_title(_roles(layout), loc="left", fontsize="medium")


def _draw_group(axes: Axes, run: HybridRun, group: int, across: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (group + 0.08, 1.0), 0.84, 1.0, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="#EEF3F8", edgecolor=figures.GREY,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(group + 0.5, 2.06, f"group {group}", ha="center", va="bottom", fontsize="small")
    first = group * run.layout.group_size
    shown = range(first, first + min(run.layout.group_size, MAX_WORKERS))
    rows = -(-len(shown) // across)
    for number, rank in enumerate(shown):
        row, column = divmod(number, across)
        in_row = min(across, len(shown) - row * across)
        x = group + 0.08 + 0.84 * (column + 0.5) / in_row
        y = 2.0 - (row + 0.5) / rows
        _draw_rank(axes, rank, (x, y), figures.BLUE, "s", dead=rank in run.deaths)


def _draw_rank(
    axes: Axes, rank: int, place: tuple[float, float], colour: str, marker: str, *, dead: bool
) -> None:
    face = "white" if dead else colour
    axes.plot(*place, marker, markersize=15, color=face, markeredgecolor=colour)
    if dead:
        axes.plot(*place, "x", markersize=13, markeredgewidth=2.5, color=figures.VERMILION)
    else:
        size = 7 if rank < 1000 else 5.5
        axes.text(*place, str(rank), ha="center", va="center", fontsize=size, color="white")


def _roles(layout: Layout) -> str:
    """Return the sizes in words, and how much of them is drawn."""
    text = (
        f"{counted(layout.num_groups, 'group')} of {counted(layout.group_size, 'worker')}, "
        f"{counted(layout.num_servers, 'parameter server')}"
    )
    sizes = (layout.num_groups, layout.group_size, layout.num_servers)
    limits = (MAX_GROUPS, MAX_WORKERS, MAX_SERVERS)
    cut = any(size > limit for size, limit in zip(sizes, limits, strict=True))
    return f"{text} (the first of each are drawn)" if cut else text


def _draw_timeline(axes: Axes, run: HybridRun) -> None:
    shown = dict(sorted(run.staleness.items())[:MAX_GROUPS])
    highest = max([1.0, *(value for line in shown.values() for _, value in line)])
    for group, entries in shown.items():
        steps, values = [step for step, _ in entries], [value for _, value in entries]
        axes.plot(steps, values, linewidth=1.2, label=f"group {group}")
    axes.set(xlim=(0, max(1, run.steps)), ylim=(0, 1.1 * highest))
    axes.set(xlabel="Step", ylabel="Staleness\n(updates by others)")
    known = sorted((step, rank) for rank, step in run.deaths.items() if step is not None)
    for step, rank in known[:MAX_DEATHS]:
        role = "server" if run.layout.is_server(rank) else "worker"
        axes.plot(
            step, 0.06 * highest, "x", markersize=9, markeredgewidth=2.5, clip_on=False,
            color=figures.VERMILION, label=f"rank {rank} ({role}) died, step {step}",
        )  # fmt: skip
        # No higher than the data: the legend is above them.
        axes.vlines(step, 0, 1.1 * highest, color=figures.VERMILION, linestyle=":", linewidth=1)
    if axes.get_legend_handles_labels()[0]:
        figures.legend_in_headroom(axes, columns=3)

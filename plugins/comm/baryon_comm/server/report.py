"""The parameter servers' part of a run's summary: staleness by layer, momentum, work done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baryon import figures
from baryon.interfaces import CommunicatorSummary, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 4  # values of the staleness that a table lists


def server_summary(
    answers: Mapping[int, Mapping[str, Any]], hosts: Sequence[str]
) -> CommunicatorSummary:
    """Summarise the reports of the living servers, given by rank."""
    layers = {
        name: {**layer, "server": rank}
        for rank, answer in answers.items()
        for name, layer in answer["layers"].items()
    }
    # As the model has them, whichever servers they lie on.
    layers = dict(sorted(layers.items(), key=lambda item: item[1]["index"]))
    metrics = {"staleness": _mean(_total(layers.values()))}
    dropped = sum(layer["dropped"] for layer in layers.values())
    if dropped:
        metrics["dropped_gradients"] = float(dropped)
    momenta = [layer["momentum"] for layer in layers.values() if layer["momentum"] is not None]
    if momenta:
        metrics["effective_momentum"] = sum(momenta) / len(momenta)
    return CommunicatorSummary(
        metrics=metrics,
        tables={"layers": _layers(layers), "servers": _servers(answers, hosts)},
        figures={"staleness": _figure(layers)},
    )


def _total(layers: Any) -> dict[int, int]:
    total: dict[int, int] = {}
    for layer in layers:
        for staleness, count in layer["staleness"].items():
            total[staleness] = total.get(staleness, 0) + count
    return total


def _mean(counts: Mapping[int, int]) -> float:
    number = sum(counts.values())
    return sum(s * count for s, count in counts.items()) / number if number else 0.0


def _histogram(counts: Mapping[int, int]) -> str:
    """Return the share of the gradients with each staleness, from 0 on; the tail as one."""
    number = sum(counts.values())
    shown = [f"{s}: {_percent(counts[s] / number)}" for s in sorted(counts)[:SHOWN]]
    tail = sum(counts[s] for s in sorted(counts)[SHOWN:])
    return "  ".join(shown + [f"more: {_percent(tail / number)}"] * bool(tail))


def _layers(layers: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (
            name,
            layer["server"],
            layer["bytes"] / 2**20,
            sum(layer["staleness"].values()),
            _mean(layer["staleness"]),
            _histogram(layer["staleness"]),
            "-" if layer["momentum"] is None else layer["momentum"],
        )
        for name, layer in layers.items()
    ]
    return Table(
        columns=(
            "layer",
            "rank",
            "MiB",
            "gradients",
            "staleness",
            "histogram",
            "momentum measured",
        ),
        rows=rows,
        caption="Layers on parameter servers: staleness in updates by other groups, and the "
        "momentum that training really had (measured for SGD alone)",
    )


def _servers(answers: Mapping[int, Mapping[str, Any]], hosts: Sequence[str]) -> Table:
    rows = [
        (rank, hosts[rank], answer["updates"], answer["bytes"] / 2**20, answer["seconds"])
        for rank, answer in answers.items()
    ]
    return Table(
        columns=("rank", "host", "updates", "MiB received", "seconds updating"),
        rows=rows,
        caption="Parameter servers",
    )


def _figure(layers: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the staleness histograms of all layers as one heat map."""
    import numpy as np

    largest = max((s for layer in layers.values() for s in layer["staleness"]), default=0)
    counts = np.zeros((len(layers), largest + 1))
    for row, layer in enumerate(layers.values()):
        for staleness, count in layer["staleness"].items():
            counts[row, staleness] = count
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    caption = "Staleness of the gradients by layer: updates of other groups that came in between"
    with figures.style():
        figure = figures.new(9, 1.4 + 0.34 * len(layers), caption)
        _draw_staleness(figure, layers, share)
        figures.lay_out(figure)
    return figure


def _draw_staleness(figure: Figure, layers: Mapping[str, Any], share: Any) -> None:
    import numpy as np

    axes = figure.subplots()
    image = axes.imshow(share, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    axes.set_yticks(range(len(layers)), list(layers))
    axes.set_xticks(range(share.shape[1]))
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    axes.set(xlabel="Staleness", ylabel="Layer")
    for (row, column), value in np.ndenumerate(share):
        if value:
            colour = "white" if value > 0.5 else "black"
            axes.text(column, row, _percent(value), ha="center", va="center", color=colour, size=8)
    figure.colorbar(image, ax=axes, label="Share of the layer's gradients")


def _percent(share: float) -> str:
    """Write a share above zero; one that would be rounded to zero is not."""
    return "<1%" if share < 0.005 else f"{share:.0%}"

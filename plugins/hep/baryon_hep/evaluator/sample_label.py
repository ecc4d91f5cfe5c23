"""What the figures say of the events: experiment, energy, generator and sample size."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes

from baryon.figures import label_sample, plain_text

_DEFAULT_NAME = "HEP events"


@dataclass(frozen=True, slots=True)
class SampleLabel:
    """Where the events come from; None where it is not known."""

    experiment: str | None = None
    """Name of the experiment, or `Simulation`."""
    energy_tev: float | None = None
    """Centre-of-mass energy in TeV."""
    generator: str | None = None
    """What made the events, such as `Pythia 8`."""

    def draw(self, axes: Axes, events: int) -> None:
        """Write the label over the axes of a figure of so many events."""
        parts = [f"{events:,} events"]
        if self.generator:
            parts.insert(0, plain_text(self.generator))
        if self.energy_tev is not None:
            parts.insert(0, rf"$\sqrt{{s}}$ = {self.energy_tev:g} TeV")
        label_sample(axes, self.experiment or _DEFAULT_NAME, ", ".join(parts))

"""Evaluate a classifier of collision events: its weighted ROC curve, compared with the cuts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from baryon.errors import BaryonError
from baryon_hep.evaluator.area import area_with_interval
from baryon_hep.evaluator.comparison import Replication, at_lowest_rate, compare, samples
from baryon_hep.evaluator.events import Events, events, gathered
from baryon_hep.evaluator.examples import Examples, Images
from baryon_hep.evaluator.roc import roc_curve

if TYPE_CHECKING:
    from baryon.interfaces import Batch, Evaluation

State: TypeAlias = tuple[list[Events], Mapping[int, Images]]


class HepRoc:
    """Signal efficiency at the false-positive rate of the physics cuts ("Deep Learning at 15PF").

    Keeps 33 bytes of each event, and a few images. The answer depends neither on the order of
    batches nor on which rank saw which. docs/hep-results.md explains metrics and figures.

    Parameters
    ----------
    bootstrap
        Number of replicas from which the intervals of the comparison are drawn.
    seed
        Seed of the replicas.
    minimum_effective_background
        Number of effective background events below which only a limit is stated.
    example_images
        Number of events of each class whose images are shown.
    image_rows
        Coordinate along the first axis of an image.
    eta_max
        |eta| up to which images reach; None: as far as images of their size usually do.
    experiment
        Name of the experiment, written over the figures.
    energy_tev
        Centre-of-mass energy in TeV, written over the figures.
    generator
        What made the events, written over the figures.

    Raises
    ------
    BaryonError
        For a number that is too small.

    """

    predictor = "baryon_hep.prediction.hep_scores:HepScores"

    def __init__(
        self,
        *,
        bootstrap: int,
        seed: int,
        minimum_effective_background: float,
        example_images: int,
        image_rows: Literal["phi", "eta"],
        eta_max: float | None,
        experiment: str | None,
        energy_tev: float | None,
        generator: str | None,
    ) -> None:
        _at_least("bootstrap", bootstrap, 2)
        _at_least("seed", seed, 0)
        _at_least("example_images", example_images, 0)
        _at_least("minimum_effective_background", minimum_effective_background, 1)
        self._how = Replication(bootstrap, seed, minimum_effective_background)
        self._axes = image_rows, eta_max
        self._label = experiment, energy_tev, generator
        self._events: list[Events] = []
        self._examples = Examples(per_class=example_images)

    def update(self, output: Any, batch: Batch) -> None:
        """Take in logits (N, 2), class 1 the signal, and the batch that they belong to.

        The batch holds `keys`, `label` (1 signal, 0 background) and `weight`, all (N,); `psr` (N,),
        non-zero where the cuts keep the event, if the data knows it; and `inputs` (N, 3, H, W).
        """
        self._events.append(events(output, batch))
        self._examples.take(batch)

    def state(self) -> State:
        """Return what was taken in so far, picklable."""
        return self._events, self._examples.images

    def merge(self, state: State) -> None:
        """Take in what another rank's evaluator has taken in."""
        parts, images = state
        self._events.extend(parts)
        self._examples.merge(images)

    def result(self) -> Evaluation:
        """Return metrics, two tables and three figures.

        Raises
        ------
        BaryonError
            If a class has no weight, or an event has a score that is not finite, a weight that is
            negative or not finite, another label than 0 and 1, or came twice.

        """
        # Here, not above: matplotlib takes long to import, and training needs none of it.
        from baryon_hep.evaluator.figures import figures
        from baryon_hep.evaluator.report import report
        from baryon_hep.evaluator.results import Results
        from baryon_hep.evaluator.sample_label import SampleLabel

        table = gathered(self._events)
        signal, background = samples(table)
        roc = roc_curve(table["score"], table["weight"], table["label"] == 1)
        # -1 stands for events whose data does not know the cuts.
        has_cuts = (table["psr"] >= 0).all()
        results = Results(
            events=table,
            background=background,
            roc=roc,
            area=area_with_interval(roc, signal, background),
            comparison=compare(signal, background, roc, self._how) if has_cuts else None,
            lowest=at_lowest_rate(signal, background, roc, self._how),
            minimum_effective_background=self._how.minimum_effective_background,
        )
        label = SampleLabel(*self._label)
        drawn = figures(results, self._examples.images, *self._axes, label)
        return report(results, drawn)


def _at_least(name: str, value: float, least: int) -> None:
    if value < least:
        raise BaryonError(f"evaluator hep_roc: {name} is {value}, and must be {least} or more")

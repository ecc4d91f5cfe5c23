"""Hold predictions against what was published of a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from baryon.errors import BaryonError, did_you_mean
from baryon.scaling.job import Job
from baryon.scaling.machine import Machine, is_real, read_machine
from baryon.scaling.network import Network, read_network
from baryon.scaling.plain_file import read_description
from baryon.scaling.prediction import Prediction, Settings, predict
from baryon.system.plain_data import fits, is_count, is_text

CALIBRATION, TEST, RESTATED = "calibration", "test", "restated"


@dataclass(frozen=True)
class Point:
    """A published result beside its prediction.

    Attributes
    ----------
    what, network : what was run
    quantity : what was told of it, one of `QUANTITIES`
    published, predicted : values
    use : `calibration` if figures of the machine were chosen so that it comes out; `restated` if it
        follows from another point; else `test`
    mark : how sure the published value is

    """

    what: str
    network: str
    quantity: str
    published: float
    predicted: float
    use: str
    mark: str

    @property
    def error(self) -> float:
        """Return the relative error of the prediction."""
        return self.predicted / self.published - 1


QUANTITIES: Mapping[str, Callable[[Prediction], float]] = {
    "tflops": lambda prediction: prediction.flops / 1e12,
    "speed_up": lambda prediction: prediction.speed_up,
    "peak_speed_up": lambda prediction: (
        prediction.speed_up * prediction.peak_flops / prediction.flops
    ),
    "peak_pflops": lambda prediction: prediction.peak_flops / 1e15,
    "sustained_pflops": lambda prediction: prediction.sustained_flops / 1e15,
    "step_seconds": lambda prediction: prediction.step,
}
SHAPE = {
    "what": is_text,
    "network": is_text,
    "workers": is_count,
    "groups": is_count,
    "servers": is_count,
    "samples": is_real,
    "checkpoint_every?": is_count,
    "single_samples?": is_real,
    "window?": is_count,
    "quantity": lambda value: value in QUANTITIES,
    "value": lambda value: is_real(value) and value > 0,
    "use": lambda value: value in (CALIBRATION, TEST, RESTATED),
    "mark": is_text,
}


def compare(name: str, steps: int = 1000, seed: int = 1) -> list[Point]:
    """Predict each published point of a machine.

    Raises
    ------
    BaryonError
        If the machine's file has none, or one that cannot be read.

    """
    path, values = read_description("machine", name)
    entries = values.get("published")
    if not isinstance(entries, list) or not entries:
        raise BaryonError(f"{path}: machine has no 'published' results to hold predictions against")
    points = []
    for number, entry in enumerate(entries, 1):
        _require_valid(path, number, entry)
        network = read_network(entry["network"])
        points.append(_point(read_machine(name, network.name), network, entry, steps, seed))
    return points


def _require_valid(path: Path, number: int, entry: Any) -> None:
    wrong = [
        key for key in SHAPE if not isinstance(entry, dict) or not fits(entry, {key: SHAPE[key]})
    ]
    if wrong:
        needed = did_you_mean(QUANTITIES) if wrong[0] == "quantity" else "see cori_knl.yaml"
        raise BaryonError(f"{path}: published result {number} has no valid {wrong[0]!r}; {needed}")


def _point(
    machine: Machine, network: Network, entry: Mapping[str, Any], steps: int, seed: int
) -> Point:
    job = Job(
        workers=entry["workers"],
        groups=entry["groups"],
        servers=entry["servers"],
        samples=entry["samples"],
        checkpoint_every=entry.get("checkpoint_every", 0),
    )
    settings = Settings(steps=steps, window=entry.get("window", Settings().window), seed=seed)
    prediction = predict(
        machine, network, job, settings, single_samples=entry.get("single_samples")
    )
    return Point(
        what=entry["what"],
        network=network.name,
        quantity=entry["quantity"],
        published=entry["value"],
        predicted=QUANTITIES[entry["quantity"]](prediction),
        use=entry["use"],
        mark=entry["mark"],
    )


def held_out_errors(points: Sequence[Point]) -> tuple[float, float]:
    """Return the median and the largest relative error, without sign, of the held-out points."""
    errors = [abs(point.error) for point in points if point.use == TEST]
    return (median(errors), max(errors)) if errors else (0.0, 0.0)

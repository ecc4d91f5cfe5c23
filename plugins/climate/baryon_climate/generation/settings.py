"""The settings that decide which frames are made."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from baryon.errors import BaryonError
from baryon_climate.dataset.box_order import places
from baryon_climate.generation.label_noise import LabelNoise

YEAR_HOURS = 365 * 24


@dataclass(frozen=True, slots=True)
class Settings:
    """The keys of `conf/generate/climate_extreme_weather.yaml` that change the data."""

    years: tuple[int, ...]
    frames: int | None
    step_hours: int
    height: int
    significant_bits: int
    box_order: str
    seed: int
    part_frames: int
    label_jitter: float
    label_misses: float
    label_false_alarms: float

    def __post_init__(self) -> None:
        """Raise `BaryonError` naming the first key that makes no sense."""
        if not 1 <= self.step_hours <= YEAR_HOURS:
            raise _refuse("step_hours", f"{self.step_hours} is not 1 to {YEAR_HOURS}")
        if self.frames is not None and not 1 <= self.frames <= YEAR_HOURS // self.step_hours:
            raise _refuse(
                "frames",
                f"a year has 1 to {YEAR_HOURS // self.step_hours} frames {self.step_hours} hours "
                f"apart, not {self.frames}: shorten step_hours or add years",
            )
        if self.height < 48 or self.height % 4:
            raise _refuse("height", f"{self.height} is not a multiple of 4 from 48")
        if not 4 <= self.significant_bits <= 23:
            raise _refuse("significant_bits", f"{self.significant_bits} is not 4 to 23")
        if self.seed < 0:
            raise _refuse("seed", f"{self.seed} is negative; give a number from 0")
        if self.part_frames < 1:
            raise _refuse("part_frames", f"{self.part_frames} is not a positive number of frames")
        if not 0 <= self.label_jitter <= 1:
            raise _refuse("label_jitter", f"{self.label_jitter} is not 0 to 1")
        if not 0 <= self.label_misses <= 1:
            raise _refuse("label_misses", f"{self.label_misses} is not 0 to 1")
        if not 0 <= self.label_false_alarms <= 100:
            raise _refuse("label_false_alarms", f"{self.label_false_alarms} is not 0 to 100")
        places(self.box_order)

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.height * 3 // 2

    @property
    def label_noise(self) -> LabelNoise:
        """How the labels differ from the truth."""
        return LabelNoise(self.label_jitter, self.label_misses, self.label_false_alarms)

    @property
    def count(self) -> int:
        """Frames of each year."""
        return self.frames or YEAR_HOURS // self.step_hours

    def record(self) -> dict[str, Any]:
        """Return all settings, as JSON reads them back."""
        return dict(json.loads(json.dumps(asdict(self))))

    def command(self) -> str:
        """Return the command that makes the same frames in the folder `climate_synthetic`."""
        values = {key: json.dumps(value).replace('"', "") for key, value in self.record().items()}
        words = [shlex.quote(f"generate.{key}={value}") for key, value in values.items()]
        return " ".join(["baryon data generate dataset=climate_extreme_weather", *words])


def even_step(frames: int | None) -> int:
    """Return the whole hours between frames spread over a year; 6 for as many as there can be."""
    return 6 if frames is None else max(1, YEAR_HOURS // max(1, frames))


def _refuse(key: str, why: str) -> BaryonError:
    return BaryonError(f"generate.{key}: {why}")

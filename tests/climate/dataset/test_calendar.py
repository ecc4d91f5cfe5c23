"""Times of frames: years without leap days, years with them, and years that are cut off."""

from pathlib import Path

import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset.calendar import HOUR, NOLEAP, STANDARD, calendar_of, start_of, times

PATH = Path("climo_1980.h5")


def _files(**frames: int) -> dict[int, tuple[Path, int]]:
    return {int(year[1:]): (Path(f"climo_{year[1:]}.h5"), count) for year, count in frames.items()}


@pytest.mark.parametrize("frames", [1460, 2920, 365])
def test_cam5_has_no_leap_days(frames):
    assert calendar_of(_files(y1979=frames, y1980=frames)) == NOLEAP
    found = times(1980, PATH, frames, NOLEAP, {})
    assert found[0] == 80 * 8760 * HOUR
    assert len(found) == frames
    assert found[-1] + found[1] - found[0] == 81 * 8760 * HOUR == start_of(1981, NOLEAP)


def test_a_leap_year_of_366_days_is_of_a_calendar_that_has_them():
    assert calendar_of(_files(y1979=1460, y1980=1464)) == STANDARD
    found = times(1980, PATH, 1464, STANDARD, {})
    assert found[0] == start_of(1980, STANDARD) == (80 * 365 + 19) * 24 * HOUR
    assert found[-1] + 6 * HOUR == start_of(1981, STANDARD)


def test_calendars_do_not_mix():
    with pytest.raises(BaryonError, match=r"climo_1984\.h5 has 1460 frames, .* climo_1980\.h5 has"):
        calendar_of(_files(y1980=1464, y1984=1460))


@pytest.mark.parametrize("frames", [1459, 1000, 1])
def test_a_cut_year_is_named(frames):
    with pytest.raises(BaryonError, match=rf"truncated: it holds {frames} frames.*1460.*2920"):
        times(1980, PATH, frames, NOLEAP, {})
    assert len(times(1980, PATH, frames, NOLEAP, {"hours_between_frames": 6})) == frames

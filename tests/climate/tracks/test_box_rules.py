"""Boxes around the storms of best tracks: class and size by the stated rules."""

import cftime
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.classes import ETC, TC, TD
from baryon_climate.dataset.box_lists import listed_boxes
from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.grid import Grid
from baryon_climate.tracks.box_rules import BoxRules, box_rules
from baryon_climate.tracks.fix import KNOT
from baryon_climate.tracks.wind_radius import gale_radius

GLOBE = Grid.globe(721, 1440)
RULES = BoxRules("usa", 34.0, 0.0, 200.0, 500.0)
KM_PER_DEGREE = 111.195
CALENDAR = "proleptic_gregorian"
HEADER = "track_id,time,lat,lon,status,wind\n"


def _turned(row: float, column: float) -> tuple[float, float]:
    """Degrees of a corner in pixels of a quarter of a degree."""
    return float(GLOBE.latitudes(row)), column / 4


@pytest.fixture
def read(tmp_path):
    """Read boxes at 1996-01-01 from a track file: south, west, north, east in degrees, class."""

    def boxes_of(content: str, rules: BoxRules = RULES) -> list[list[float]]:
        path = tmp_path / "tracks.csv"
        path.write_text(content)
        start = cftime.date2num(
            cftime.datetime(1996, 1, 1, calendar=CALENDAR), TIME_UNITS, CALENDAR
        )
        times = np.array([round(float(start))])
        (frame,) = listed_boxes(path, times, CALENDAR, GLOBE, "auto", 0, rules=rules)
        known = frame[frame[:, 4] >= 0]
        return [[*_turned(box[0], box[1]), *_turned(box[2], box[3]), box[4]] for box in known]

    return boxes_of


def test_wind_and_nature_give_the_class(read):
    lines = [
        ("TS,33", TD), ("TS,34", TC), ("HU,120", TC), ("EX,30", ETC), ("EX,", ETC),
        ("SS,50", TC), ("LO,30", None), ("DB,20", None), ("TS,", None),
    ]  # fmt: skip
    content = HEADER + "".join(
        f"{n},1996-01-01,{n},100,{line}\n" for n, (line, _) in enumerate(lines)
    )
    assert [box[4] for box in read(content)] == [kind for _, kind in lines if kind is not None]


def test_thresholds_are_those_of_the_rules(read):
    content = HEADER + "A,1996-01-01,10,100,TS,33\nB,1996-01-01,20,100,TS,50\n"
    strong = BoxRules("usa", 64.0, 34.0, 200.0, 500.0)
    assert [box[4] for box in read(content, strong)] == [TD]


def test_a_measured_radius_is_half_a_side_in_km(read):
    storm = "AL011996, A, 1,\n19960101, 0000, , HU, 30.0N, 60.0W, 90, 960, 200, 180, 160, 180\n"
    ((south, west, north, east, _),) = read(storm)
    half = 180 * 1.852 / KM_PER_DEGREE
    assert (south, north) == pytest.approx((30 - half, 30 + half), abs=1e-3)
    across = half / np.cos(np.radians(30))
    assert (west, east) == pytest.approx((300 - across, 300 + across), abs=1e-3)


def test_without_radii_a_typical_one_is_taken(read):
    ((south, _, north, _, _),) = read(HEADER + "A,1996-01-01,25,100,HU,100\n")
    typical = gale_radius(100 * KNOT, 25)
    # by hand: a core of 57.7 km, and a power of 0.6647
    assert typical == pytest.approx(57.683 * (100 / 34) ** (1 / 0.6647), rel=1e-4)
    assert (north - south) / 2 == pytest.approx(typical / KM_PER_DEGREE, abs=1e-3)


def test_typical_radii_grow_with_wind_and_latitude():
    assert gale_radius(30 * KNOT, 20) == 0
    weak, strong = gale_radius(40 * KNOT, 20), gale_radius(90 * KNOT, 20)
    assert weak < strong < gale_radius(90 * KNOT, 35) < 800


def test_a_weak_storm_and_an_extratropical_one_have_the_least_sizes(read):
    content = HEADER + "A,1996-01-01,0,100,TD,25\nB,1996-01-01,50,100,EX,30\n"
    weak, extratropical = read(content)
    assert weak[2] - weak[0] == pytest.approx(400 / KM_PER_DEGREE, abs=1e-3)
    assert extratropical[2] - extratropical[0] == pytest.approx(1000 / KM_PER_DEGREE, abs=1e-3)


def test_boxes_cross_the_seam_and_the_date_line(read):
    content = HEADER + "A,1996-01-01,10,0.5,HU,64\nB,1996-01-01,-20,181,HU,64\n"
    greenwich, date_line = read(content)
    assert 357 < greenwich[1] < 360 < greenwich[3] < 364
    assert 177 < date_line[1] < 180 < date_line[3] < 184


def test_lines_that_give_no_box_are_counted_by_reason(read, caplog):
    read(HEADER + "A,1996-01-01,9,9,TS,40\nB,1996-01-01,9,19,LO,20\nC,1996-01-01,9,29,TS,\n")
    told = " ".join(caplog.text.split())
    assert "2 of 3 lines give no box: 1 of disturbances, 1 without wind" in told


def test_tracks_of_other_times_are_refused(read):
    with pytest.raises(BaryonError, match="none of its 1 boxes is at the time of a frame"):
        read(HEADER + "A,1997-01-01,9,9,TS,40\n")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"least_km": 0}, "dataset.tracks.least_km=0 must be above 0"),
        ({"least_knots": -1}, "least_knots=-1 must be 0 or more"),
        ({"least_km": "wide"}, "least_km=wide must be a number"),
        ({"colour": 1}, "it needs agency, cyclone_knots, least_knots, least_km, etc_km"),
    ],
)
def test_rules_that_cannot_be_are_refused(changes, says):
    values = {
        "agency": "usa", "cyclone_knots": 34, "least_knots": 0, "least_km": 200, "etc_km": 500,
    }  # fmt: skip
    assert box_rules(values) == RULES
    with pytest.raises(BaryonError, match=says):
        box_rules(values | changes)

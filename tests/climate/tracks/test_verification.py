"""Verification by track: counts by hand, and a published data set's figures."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.classes import ETC, TC
from baryon_climate.tracks.basins import basin
from baryon_climate.tracks.fix import KNOT
from baryon_climate.tracks.matching import match
from baryon_climate.tracks.track import Track
from baryon_climate.tracks.verification import in_period, verify
from baryon_climate.tracks.verify import main, run, tropical

DATA = Path(__file__).parent / "data"
SIX_HOURS = 6 * 3600


def _track(
    name: str,
    *,
    north: float = 15.0,
    east: float = 300.0,
    first: int = 0,
    count: int = 4,
    step: float = 0.0,
    knots: float = math.nan,
    pressure: float = math.nan,
    kind: int = TC,
) -> Track:
    """A storm that goes east by `step` degrees every six hours."""
    rows = np.arange(count)
    return Track(
        name,
        SIX_HOURS * (first + rows),
        np.full(count, north),
        (east + step * rows) % 360,
        np.full(count, pressure),
        np.full(count, knots * KNOT),
        np.full(count, kind),
        np.full(count, math.nan),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Best tracks of 1996, and what TempestExtremes found in ERA5."""
    folder = tmp_path_factory.mktemp("tracks")
    for name in ("jtwc_1996.csv", "tempest_extremes_era5_1996.csv"):
        (folder / name).write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    return folder


def test_tempest_extremes_on_era5_has_the_known_scores(files, monkeypatch):
    """98 storms of 34 kt, 89 tracks, 300 km: POD 0.755 and FAR 0.169; with 64 kt POD 0.912."""
    monkeypatch.chdir(files)
    arguments = ["tracks=tempest_extremes_era5_1996.csv", "best=jtwc_1996.csv", "out=scores.json"]
    period = ["first=1996-01-01", "last=1997-01-01"]
    assert run([*arguments, *period]) == 0
    scores = json.loads((files / "scores.json").read_text())
    assert (scores["storms"], scores["detected"]) == (98, 74)
    assert (scores["tracks"], scores["false_alarms"]) == (89, 15)
    assert (round(scores["pod"], 3), round(scores["far"], 3)) == (0.755, 0.169)
    assert scores["csi"] == pytest.approx(74 / (98 + 15))
    # a share of 98 storms: sqrt(p (1 - p) / n) = 0.043
    assert scores["pod_error"] == pytest.approx(0.043, abs=0.006)
    assert run([*arguments, *period, "least_knots=64"]) == 0
    assert round(json.loads((files / "scores.json").read_text())["pod"], 3) == 0.912


def test_counts_and_errors_of_tracks_written_by_hand():
    best = [
        _track("found", knots=80, pressure=970, count=6),
        _track("missed", east=330, knots=40),
        _track("weak", east=30, north=-20, knots=30),
        _track("unknown wind", east=60, north=-20),
    ]
    tracks = [
        _track("1", north=16, knots=60, pressure=980, first=1, count=3),
        _track("2", north=15.5, first=5, count=1),  # a second piece of the same storm
        _track("3", east=140),
        _track("4", east=30, north=-20),
    ]
    result = verify(tracks, best)
    assert (result.all.storms, result.all.detected) == (2, 1)
    assert (result.all.tracks, result.all.false_alarms, result.weaker) == (4, 2, 1)
    assert (result.all.pod.value, result.all.far.value) == (0.5, 0.5)
    assert result.all.csi.value == 1 / 4
    assert result.errors["position_km"].value == pytest.approx(111.19, abs=0.01)  # the longest
    assert result.errors["pressure_hpa"].value == pytest.approx(10)
    assert result.errors["wind_ms"].value == pytest.approx(-20 * KNOT)
    assert result.errors["duration_h"].value == 12 - 30
    atlantic, indian, pacific = (result.by_basin[name] for name in ("NA", "SI", "WP"))
    assert (atlantic.storms, atlantic.detected, atlantic.tracks, atlantic.false_alarms) == (
        2, 1, 2, 0,
    )  # fmt: skip
    assert (indian.storms, indian.false_alarms, pacific.false_alarms) == (0, 1, 1)
    assert math.isnan(indian.pod.value)
    assert result.by_category["64 to 95 kt"].pod.value == 1
    assert result.by_category["34 to 63 kt"].pod.value == 0
    assert verify(tracks, best, least_knots=0).all.storms == 4
    categories = verify(tracks, best, least_knots=0).by_category
    assert {name: scores.storms for name, scores in categories.items()} == dict.fromkeys(
        ("below 34 kt", "34 to 63 kt", "64 to 95 kt", "wind not known"), 1
    )


def test_the_same_storms_are_found_across_the_seam_and_in_any_order():
    best = [_track(str(n), north=10 + n, east=359.5, step=0.4, knots=50) for n in range(0, 20, 5)]
    tracks = [_track(str(n), north=10 + n, east=0.2, step=0.4) for n in range(0, 20, 5)]
    forward, backward = verify(tracks, best), verify(tracks[::-1], best)
    assert forward.all.pod.value == forward.all.csi.value == 1
    assert backward.errors["position_km"].value == forward.errors["position_km"].value


def test_a_pair_needs_the_same_time_and_the_longest_comes_first():
    storm = _track("A", count=6)
    later = _track("1", first=6, count=6)
    assert match([storm], [later], 300) == []
    short, long = _track("2", count=2), _track("3", north=16, count=5)
    pairs = match([storm], [short, long], 300)
    assert [(pair.track, len(pair.far)) for pair in pairs] == [(1, 5), (0, 2)]


def test_only_the_part_in_the_period_counts():
    (part,) = in_period([_track("A", count=10), _track("B", first=50)], 0, 3 * SIX_HOURS)
    assert (part.name, len(part), part.hours) == ("A", 4, 18)


def test_errors_of_the_bootstrap_are_those_of_storms_and_repeat():
    """Of 40 storms half are found: the deviation of a share of independent draws."""
    best = [_track(str(n), north=-40 + 2 * n, knots=50, count=30) for n in range(40)]
    tracks = [_track(str(n), north=-40 + 2 * n, count=30) for n in range(0, 40, 2)]
    result = verify(tracks, best, within_km=50)
    assert result.all.pod.value == 0.5
    assert result.all.pod.error == pytest.approx(math.sqrt(0.25 / 40), rel=0.1)
    assert verify(tracks, best, within_km=50).all == result.all


def test_other_classes_are_not_scored_against_tropical_storms(caplog):
    assert [t.name for t in tropical([_track("1"), _track("2", kind=ETC)])] == ["1"]
    assert "1 tracks of ETC are not scored" in caplog.text


def test_what_cannot_be_scored_is_one_line():
    storm = _track("A", knots=50)
    with pytest.raises(BaryonError, match="none of 1 best tracks has 64 knots"):
        verify([storm], [storm], least_knots=64)
    with pytest.raises(BaryonError, match="no point of a track is at the time of a point of a be"):
        verify([_track("1", first=100)], [storm])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["best=x"], "tracks must be given: python -m baryon_climate.tracks.verify tracks="),
        (["within=3", "tracks=a", "best=b"], "no argument 'within=3'; did you mean 'within_km'"),
        (["tracks=none.csv", "best=b"], "none.csv cannot be read"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, says, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    told = capfd.readouterr().err
    assert says in " ".join(told.split())
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((15, -60), "NA"), ((15, -110), "EP"), ((25, -95), "NA"), ((12, -88), "EP"),
        ((10, 190), "EP"), ((20, 130), "WP"), ((15, 90), "NI"), ((-15, 60), "SI"),
        ((-15, 170), "SP"), ((-15, 200), "SP"), ((-25, -40), "SA"), ((35, 10), "NA"),
    ],
)  # fmt: skip
def test_basins(place, name):
    assert basin(*place) == name

"""Boxes of frames become tracks: how far, how fast, with which gaps, from what length on."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.classes import ETC, TC, TD
from baryon_climate.grid import Grid
from baryon_climate.storms import Storms, storms
from baryon_climate.tracks.intensity import intensities
from baryon_climate.tracks.linking import Linker, LinkRules, Sighting, link_rules
from baryon_climate.tracks.reading import read_fixes
from baryon_climate.tracks.track import Track, tracks_of

GLOBE = Grid.globe(181, 360)
RULES = LinkRules(distance_km=200.0, speed=25.0, gap_hours=12.0, least_hours=0.0)
HOUR = 3600


def _storms(frame: int, hours: float, places: list[tuple[float, float, int]]) -> Storms:
    """Boxes of 4 degrees around positions north, east, each with a class."""
    table = np.array(places, np.float64).reshape(-1, 3)
    rows, columns = table[:, 0] + 90, table[:, 1]
    corners = np.stack([rows - 2, columns - 2, rows + 2, columns + 2], axis=1)
    classes = table[:, 2].astype(np.int64)
    return storms(frame, round(hours * HOUR), GLOBE, corners, classes, np.full(len(table), 0.9))


def _link(frames: list[tuple[float, list]], rules: LinkRules = RULES):
    linker = Linker(rules)
    for number, (hours, places) in enumerate(frames):
        of_frame = _storms(number, hours, places)
        count = len(of_frame)
        linker.add(Sighting(of_frame, np.arange(count) + 990.0, np.full(count, 20.0 + number)))
    return linker.finish()


def test_two_storms_that_move_make_two_tracks_whatever_their_order_in_a_frame():
    frames = [(0, [(10, 50, TC), (30, 50, TC)]), (6, [(31, 51, TC), (10, 48, TC)])]
    south, north = _link(frames)
    assert (south.name, north.name) == ("0", "1")
    assert south.longitude.tolist() == [50, 48]
    assert north.latitude.tolist() == [30, 31]
    assert south.wind.tolist() == [20, 21]
    assert south.pressure.tolist() == [990, 991]
    assert south.hours == 6


@pytest.mark.parametrize(("degrees", "tracks"), [(6.6, 1), (6.7, 2)])
def test_a_box_beyond_distance_and_speed_begins_another_track(degrees, tracks):
    """200 km and 6 h of 25 m/s are 740 km, 6.65 degrees at the equator."""
    assert len(_link([(0, [(0, 50, TC)]), (6, [(0, 50 + degrees, TC)])])) == tracks


@pytest.mark.parametrize(("hours", "tracks"), [(12, 1), (12.5, 2)])
def test_a_gap_may_be_so_long(hours, tracks):
    assert len(_link([(0, [(0, 50, TC)]), (6, []), (hours, [(0, 51, TC)])])) == tracks


def test_tracks_cross_the_seam():
    (track,) = _link([(0, [(10, 359, TC)]), (6, [(10, 1, TC)]), (12, [(10, 3, TC)])])
    assert track.longitude.tolist() == [359, 1, 3]


def test_short_tracks_are_left_out():
    rules = LinkRules(200.0, 25.0, 12.0, 12.0)
    frames = [
        (0, [(0, 50, TC), (30, 90, TC)]),
        (6, [(0, 51, TC), (30, 90, TC)]),
        (12, [(0, 52, TC)]),
    ]
    (track,) = _link(frames, rules)
    assert len(track) == 3


def test_storms_that_follow_one_another_keep_apart():
    """The second was nearer to where the first is now than the first was."""
    tracks = _link([(0, [(0, 50, TC), (0, 54, TC)]), (6, [(0, 53, TC), (0, 56.5, TC)])])
    assert sorted(track.longitude.tolist() for track in tracks) == [[50.0, 53.0], [54.0, 56.5]]


def test_a_depression_becomes_a_cyclone_and_no_extratropical_one():
    (track,) = _link([(0, [(10, 50, TD)]), (6, [(10, 50, TC)]), (12, [(10, 50, TD)])])
    assert track.kind == TC
    assert len(_link([(0, [(30, 50, TC)]), (6, [(30, 50, ETC)])])) == 2


def test_a_frame_that_is_not_later_begins_another_series():
    """As where two files of other years, or members, follow one another."""
    frames = [(6, [(0, 50, TC)]), (6, [(0, 50, TC)]), (0, [(0, 50, TC)])]
    assert [len(track) for track in _link(frames)] == [1, 1, 1]


def test_the_shortest_step_is_known():
    linker = Linker(RULES)
    assert linker.step_hours is None
    for hours in (0, 6, 9, 15):
        nothing = np.zeros(0)
        linker.add(Sighting(_storms(0, hours, []), nothing, nothing))
    assert linker.step_hours == 3
    assert linker.finish() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"speed": 0}, "x: tracks.speed=0 must be above 0"),
        ({"least_hours": -1}, "tracks.least_hours=-1 must be 0 or more"),
        ({"speedy": 3}, "it needs distance_km, speed, gap_hours, least_hours"),
    ],
)
def test_limits_that_cannot_be_are_refused(changes, says):
    values = {"distance_km": 200.0, "speed": 25.0, "gap_hours": 12.0, "least_hours": 0.0}
    assert link_rules("x", values) == RULES
    with pytest.raises(BaryonError, match=says):
        link_rules("x", values | changes)


def test_intensity_is_read_in_the_box_also_across_the_seam_and_in_one_without_a_pixel():
    pressure, wind = np.full((181, 360), 1.01e5), np.zeros((181, 360))
    pressure[100, 359], wind[101, 1] = 9.6e4, -40.0
    pressure[100, 20] = 9.0e4  # outside
    fields = {"PSL": pressure, "UBOT": wind, "VBOT": np.full((181, 360), 9.0)}
    of_frame = _storms(0, 0, [(10, 0, TC), (50, 180, TC)])
    low, strong = intensities(fields, GLOBE, of_frame)
    assert low.tolist() == [960, 1010]
    assert strong == pytest.approx([41, 9])
    tiny = storms(0, 0, GLOBE, np.array([[99.8, 19.8, 100.4, 20.3]]), np.array([1]), np.ones(1))
    assert intensities(fields, GLOBE, tiny)[0].tolist() == [900]
    thin = storms(0, 0, GLOBE, np.array([[100.2, 20.1, 100.4, 20.3]]), np.array([1]), np.ones(1))
    assert intensities(fields, GLOBE, thin)[0].tolist() == [900]
    assert np.isnan(intensities({}, GLOBE, of_frame)).all()


DATA = Path(__file__).parent / "data"
EIGHT_DEGREES = LinkRules(distance_km=889.6, speed=1e-6, gap_hours=24.0, least_hours=54.0)


@pytest.fixture(scope="module")
def stitched(tmp_path_factory) -> list[Track]:
    """89 tracks of TempestExtremes in ERA5."""
    path = tmp_path_factory.mktemp("tracks") / "tracks.csv"
    path.write_bytes(gzip.decompress((DATA / "tempest_extremes_era5_1996.csv.gz").read_bytes()))
    return tracks_of(path, read_fixes(path))


def _nodes(tracks: list[Track]) -> list[tuple[float, list]]:
    """All points of tracks by frame, every six hours, without saying whose they are."""
    first = min(int(track.times[0]) for track in tracks)
    last = max(int(track.times[-1]) for track in tracks)
    frames: dict[int, list] = {time: [] for time in range(first, last + 1, 6 * HOUR)}
    for track in tracks:
        for time, north, east in zip(track.times, track.latitude, track.longitude, strict=True):
            frames[int(time)].append((float(north), float(east), TC))
    return [(time / HOUR, places) for time, places in frames.items()]


def _points(track: Track) -> tuple[tuple[float, ...], ...]:
    columns = (track.times, track.latitude, track.longitude)
    return tuple(tuple(np.round(column, 6).tolist()) for column in columns)


@pytest.mark.parametrize(
    ("rules", "alike"), [(EIGHT_DEGREES, 88), (LinkRules(200.0, 25.0, 24.0, 24.0), 87)]
)
def test_the_nodes_of_stitch_nodes_make_its_tracks_again(stitched, rules, alike):
    """All but one of a single node, which is shorter than any rule allows.

    With the shipped limits another loses its last node, to which it went 780 km in 6 hours.
    """
    linked = {_points(track) for track in _link(_nodes(stitched), rules)}
    assert len(linked) == 88
    assert len(linked & {_points(track) for track in stitched}) == alike
    assert [len(track) for track in stitched].count(1) == 1

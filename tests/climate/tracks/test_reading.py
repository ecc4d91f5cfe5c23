"""Files of tracks: each format gives the same fixes, bad lines are named."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.classes import TC
from baryon_climate.tracks.fix import KNOT, Nature
from baryon_climate.tracks.reading import is_track_file, read_fixes
from baryon_climate.tracks.track import tracks_of

DATA = Path(__file__).parent / "data"
IDA = """AL092021,                IDA,     3,
20210829, 1655, L, HU, 29.1N,  90.2W, 130,  931,  130,  110,   80,  110,   70,   60,   40,   60,\
   45,   35,   20,   30,   10
20210830, 0600,  , TS, 30.6N,  90.8W,  65,  978,   80,  130,   80,   80,   50,   60,   30,   40,\
    0,    0,    0,    0,   25
20210901, 0600,  , EX, 36.0N,  82.5W,  30, -999, -999, -999, -999, -999, -999, -999, -999, -999,\
 -999, -999, -999, -999, -999
"""
IBTRACS = """SID,SEASON,NUMBER,BASIN,SUBBASIN,NAME,ISO_TIME,NATURE,LAT,LON,WMO_WIND,WMO_PRES,\
TRACK_TYPE,USA_WIND,USA_PRES,USA_R34_NE,USA_R34_SE,USA_R34_SW,USA_R34_NW
 ,Year, , , , , , ,degrees_north,degrees_east,kts,mb, ,kts,mb,nmile,nmile,nmile,nmile
2004001S12180,2004,1,SP,MM,HETA,2004-01-02 00:00:00,TS,-9.1,181.5,30,1000,main,35,997,60,60,60,60
2004001S12180,2004,1,SP,MM,HETA,2004-01-02 03:00:00,TS,-9.3,-178.3, , ,main, , , , , ,
2004001S12180,2004,1,SP,MM,HETA,2004-01-02 06:00:00,TS,-9.5,182.0,35,995,main,45,990, , , ,
2004001S12180,2004,1,SP,MM,HETA,2004-01-02 06:00:00,TS,-9.5,182.4,35,995,spur-other,45,990, , , ,
"""


@pytest.fixture
def unpack(tmp_path):
    """Unpack a file of `data`."""

    def unpacked(name: str) -> Path:
        path = tmp_path / name.removesuffix(".gz")
        path.write_bytes(gzip.decompress((DATA / name).read_bytes()))
        return path

    return unpacked


@pytest.fixture
def write(tmp_path):
    def written(content: str, name: str = "tracks.csv") -> Path:
        path = tmp_path / name
        path.write_text(content)
        assert is_track_file(path)
        return path

    return written


def test_hurdat2_has_winds_in_knots_and_radii_in_nautical_miles(write):
    first, second, last = read_fixes(write(IDA, "ida.txt"))
    assert (first.storm, first.latitude, first.longitude) == ("AL092021", 29.1, 269.8)
    assert (first.moment.year, first.moment.second) == (2021, (16 * 60 + 55) * 60)
    assert first.wind == pytest.approx(130 * 0.514444, rel=1e-5)
    assert first.pressure == 931
    assert first.gale_radius == pytest.approx(1.852 * (130 + 110 + 80 + 110) / 4)
    assert (second.nature, last.nature) == (Nature.TROPICAL, Nature.EXTRATROPICAL)
    assert math.isnan(last.pressure)
    assert math.isnan(last.gale_radius)


def test_ibtracs_gives_the_winds_of_the_agency_and_no_spurs(write):
    path = write(IBTRACS)
    fixes = read_fixes(path)
    assert [fix.longitude for fix in fixes] == pytest.approx([181.5, 181.7, 182.0])
    assert [fix.wind / KNOT for fix in fixes] == pytest.approx([35, 40, 45])  # the second between
    assert fixes[0].gale_radius == pytest.approx(60 * 1.852)
    assert [fix.wind / KNOT for fix in read_fixes(path, "wmo")] == pytest.approx([30, 32.5, 35])
    with pytest.raises(BaryonError, match=r"no column TOKYO_WIND; agencies .* there: wmo, usa$"):
        read_fixes(path, "tokyo")


def test_a_nodefile_of_stitch_nodes_is_a_cyclone_with_pressures():
    path = DATA / "stitch_nodes.txt"
    assert is_track_file(path)
    (track,) = tracks_of(path, read_fixes(path))
    assert len(track) == 33
    assert track.kind == TC
    assert (track.latitude[0], track.longitude[0]) == (18.0, 302.5)
    assert track.pressure[0] == pytest.approx(1003.906)
    assert np.diff(track.times).tolist() == [6 * 3600] * 32


def test_best_tracks_and_found_tracks_of_a_year_are_read(unpack):
    best = unpack("jtwc_1996.csv.gz")
    tracks = tracks_of(best, read_fixes(best))
    assert len(tracks) == 115
    assert sum(track.strongest >= 34 * KNOT - 1e-6 for track in tracks) == 98
    found = unpack("tempest_extremes_era5_1996.csv.gz")
    tracks = tracks_of(found, read_fixes(found))
    assert len(tracks) == 89
    first = tracks[0]
    assert (first.name, first.pressure[0], first.wind[0]) == ("1207", 1005.903, 9.561235)


def test_lines_without_position_or_wind_are_told_in_one_line_each(write, caplog):
    path = write(
        "track_id,time,lat,lon,wind\nA,1996-01-01,10,180,30\nA,1996-01-02,,,30\n"
        "B,1996-01-03,10,180,\nB,1996-01-04,11,181,-999\n"
    )
    assert [fix.latitude for fix in read_fixes(path)] == [10, 10, 11]
    told = " ".join(caplog.text.split())
    assert "1 of 4 lines have no position (the first is line 3): left out" in told
    assert "2 of 3 lines have no wind (the first is line 4)" in told


def test_a_track_across_the_seam_does_not_leap_and_one_that_leaps_is_named(write, caplog):
    lines = "A,1996-01-01T00,10,359.8\nA,1996-01-01T06,10,0.4\nB,1996-01-01T00,10,0\n"
    path = write(f"track_id,time,lat,lon\n{lines}B,1996-01-01T06,10,60\n")
    assert len(tracks_of(path, read_fixes(path))) == 2
    told = " ".join(caplog.text.split())
    assert "1 of 2 tracks leap: B goes 6,560 km in 6 h" in told


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("track_id,time,lat,lon\nA,1996-01-01,95,0\n", "line 2 cannot be read .*latitude 95 is"),
        ("track_id,time,lat,lon\nA,1996-01-01,5,999\n", "the longitude 999 is not from -360 to"),
        ("track_id,time,lat,lon\nA,yesterday,5,9\n", "line 2 cannot be read .*'yesterday' is no"),
        ("track_id,time,lat,lon\nA,1996-01-01,5\n", "line 2 has 3 fields, the header 4"),
        ("track_id,time,lat,lon\n,1996-01-01,5,6\n", "it has no track_id"),
        ("AL092021, IDA, 2,\n20210829, 1655, L, HU, 29.1N, 90.2W, 130, 931\n", "it ends 1 lines"),
        ("AL092021, IDA, 1,\n20210829, 1655, L, HU, 29.1, 90.2W, 130, 931\n", "29.1' is no latit"),
        ("start\t2\t1999\t9\t10\t0\n\t1\t2\t302\t18\t1e5\t1999\t9\t10\t0\n", "ends 1 nodes before"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(write, content, says):
    path = write(content)
    with pytest.raises(BaryonError, match=says) as error:
        read_fixes(path)
    assert "\n" not in str(error.value)


def test_a_storm_in_two_places_at_once_and_a_date_that_is_none_are_refused(write):
    path = write("track_id,time,lat,lon\nA,1996-01-01,5,6\nA,1996-01-01,5,9\n")
    with pytest.raises(BaryonError, match="storm A is twice at one time, in line 2 and line 3"):
        tracks_of(path, read_fixes(path))
    path = write("track_id,time,lat,lon\nA,1996-02-30,5,6\n")
    with pytest.raises(BaryonError, match=r"line 2: the calendar .* has no 1996-02-30"):
        tracks_of(path, read_fixes(path))


def test_another_file_is_told_what_it_should_be(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a,b\n1,2\n")
    assert not is_track_file(path)
    with pytest.raises(BaryonError, match="is no list of tracks; it must be IBTrACS"):
        read_fixes(path)

"""Lists of boxes: what each layout means, what is left out, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace

import cftime
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset.box_lists import listed_boxes
from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.dataset.labels import LabelOptions, labels
from baryon_climate.grid import Grid
from baryon_climate.prediction.geojson import GeoJson
from baryon_climate.prediction.nodes import CsvNodes
from baryon_climate.storms import storms

GLOBE = Grid.globe(181, 360)
CELL_CENTRED = Grid(180, 360, -89.5, 1.0, 0.5, 1.0, True)
REGION = Grid(41, 81, 10.0, 1.0, 260.0, 1.0, False)
"""10 to 50 degrees north, 260 to 340 east."""
HEADER = "time,class,lat_min,lon_min,lat_max,lon_max\n"
PIXELS = "year,month,day,time_step,xmin,xmax,ymin,ymax,category\n"
HOURS = (0, 6, 12)


def frame_times() -> np.ndarray:
    """Three frames of 1979-01-01 in a calendar without leap days."""
    start = cftime.datetime(1979, 1, 1, calendar="noleap")
    first = round(float(cftime.date2num(start, TIME_UNITS, "noleap")))
    return first + np.array(HOURS) * 3600


@pytest.fixture
def read(tmp_path):
    """Read a list; give the boxes of each frame."""

    def boxes_of(content: str | bytes, grid: Grid = GLOBE, name: str = "boxes.csv") -> list:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        table = listed_boxes(path, frame_times(), "noleap", grid, "auto", 0)
        return [frame[frame[:, 4] >= 0].tolist() for frame in table]

    return boxes_of


def polygon(when: object, kind: object, ring: object) -> dict:
    return {
        "properties": {"time": when, "class": kind},
        "geometry": {"type": "Polygon", "coordinates": ring},
    }


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


SQUARE = [[[20, 10], [40, 10], [40, 30], [20, 30], [20, 10]]]


@pytest.mark.parametrize(
    "when",
    [
        "1979-01-01T06", "1979-01-01T06:00Z", "1979-01-01T06:00:00.0+00:00", "1979-01-01 06:00+00",
        "1979-01-01T07:30+01:30", "1979-01-01T00:00-0600", "1979-01-01T06:00",
    ],
)  # fmt: skip
def test_times_with_and_without_an_offset_are_utc(read, when):
    assert read(f"{HEADER}{when},TC,0,10,10,20\n") == [[], [[90, 10, 100, 20, 1]], []]


def test_the_end_of_a_day_is_the_beginning_of_the_next(read):
    assert read(f"{HEADER}1978-12-31T24:00,TC,0,10,10,20\n")[0] == [[90, 10, 100, 20, 1]]


def test_a_byte_order_mark_and_old_line_ends_are_no_part_of_the_header(read):
    row = "1979-01-01,AR,0,350,10,20\n"
    expected = [[90, 350, 100, 380, 3]]
    assert read(b"\xef\xbb\xbf" + f"{HEADER}{row}".encode())[0] == expected
    assert read(f"{HEADER}{row}".replace("\n", "\r"))[0] == expected
    with_mark = b"\xef\xbb\xbf" + collection(polygon("1979-01-01", 3, SQUARE)).encode()
    assert read(with_mark, name="boxes.geojson")[0] == [[100, 20, 120, 40, 3]]


def test_a_frame_has_as_many_boxes_as_the_list_names(read):
    rows = "".join(f"1979-01-01T06:00,TC,{n},10,{n + 5},20\n" for n in range(40))
    assert [len(frame) for frame in read(HEADER + rows)] == [0, 40, 0]


def test_more_boxes_than_memory_may_hold_are_refused(read, monkeypatch):
    monkeypatch.setattr("baryon_climate.dataset.box_lists.MOST_BYTES", 1000)
    rows = "1979-01-01T06:00,TC,0,10,10,20\n" * 9
    with pytest.raises(BaryonError, match=r"boxes\.csv: 9 boxes are at the time of one frame"):
        read(HEADER + rows)


def test_a_box_that_ends_at_a_pole_is_clipped_to_cell_centred_grids(read):
    rows = "1979-01-01,TC,-90,10,-80,20\n1979-01-01,TC,80,10,90,20\n"
    assert read(HEADER + rows, CELL_CENTRED)[0] == [
        [0, 9.5, 9.5, 19.5, 1],
        [169.5, 9.5, 179.5, 19.5, 1],
    ]


def test_north_first_and_west_first_grids_have_the_same_boxes_mirrored(read):
    turned = Grid(181, 360, 90.0, -1.0, 359.0, -1.0, True)
    assert read(f"{HEADER}1979-01-01,TC,20,350,30,355\n", turned)[0] == [[60, 4, 70, 9, 1]]


def test_a_box_over_the_edge_of_a_region_is_clipped_if_half_of_it_is_inside(read, capsys):
    rows = [
        ("20,250,30,275", [10, 0, 20, 15, 1]),  # 15.5 of 25 columns
        ("20,-110,30,-85", [10, 0, 20, 15, 1]),  # the same, western longitudes
        ("20,250,30,264", None),  # 4.5 of 14
        ("0,300,15,310", None),  # 5.5 of 15 rows
        ("5,300,18,310", [0, 40, 8, 50, 1]),
        ("-30,0,-20,10", None),
    ]
    content = HEADER + "".join(f"1979-01-01,TC,{sides}\n" for sides, _ in rows)
    assert read(content, REGION)[0] == [box for _, box in rows if box]
    told = " ".join(capsys.readouterr().out.split())
    assert "3 of 6 boxes at the times of frames have less than 50% of their area in the" in told


def test_a_box_of_the_whole_circle_is_as_wide_as_the_frame(read):
    assert read(f"{HEADER}1979-01-01,AR,0,0,10,360\n")[0] == [[90, 0, 100, 360, 3]]


def test_a_list_without_boxes_is_warned_of(read, capsys):
    assert read(HEADER) == [[], [], []]
    assert "lists no boxes" in "".join(capsys.readouterr())


BOXES = np.array([[90.5, 350, 100, 370.25], [0, 10, 8, 30], [140, 170, 150, 190.0]])
"""One across each meridian where longitudes begin, one at the South Pole."""


@pytest.mark.parametrize(("writer", "name"), [(CsvNodes, "boxes.csv"), (GeoJson, "boxes.geojson")])
@pytest.mark.parametrize("grid", [GLOBE, CELL_CENTRED, Grid(181, 360, 90.0, -1.0, 0.0, 1.0, True)])
def test_what_predict_writes_is_read_as_labels(tmp_path, writer, name, grid):
    classes, scores = np.array([1, 2, 3]), np.array([0.9, 0.8, 0.7])
    about = SimpleNamespace(calendar="noleap", synthetic=False)
    with writer(tmp_path, about) as file:
        file.append(storms(0, int(frame_times()[1]), grid, BOXES, classes, scores))
    table = listed_boxes(tmp_path / name, frame_times(), "noleap", grid, "auto", 0)
    assert (table[[0, 2]] == -1).all()
    np.testing.assert_allclose(table[1], np.column_stack([BOXES, classes]), atol=1e-4)


def _row(column: int, value: str) -> str:
    fields = ["1979-01-01", "TC", "0", "10", "20", "30"]
    fields[column] = value
    return HEADER + ",".join(fields) + "\n"


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "1e400", "", "1_0", "\uff11", "0x1", "9" * 400]
)
@pytest.mark.parametrize("column", [1, 2, 3, 4, 5])
def test_a_number_that_is_none_is_named_with_its_line(read, column, value):
    with pytest.raises(
        BaryonError, match=r"boxes\.csv: line 2 cannot be read \((class|l..)"
    ) as error:
        read(_row(column, value))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_row(1, "1.7"), "class='1.7' is no whole number and none of TD, TC, ETC, AR"),
        (_row(4, "95"), "the latitude 95 is not from -90 to 90"),
        (_row(3, "1e30"), "the longitude 1e\\+30 is not from -360 to 720"),
        (_row(0, "1979-01-01T99:99"), "'1979-01-01T99:99' is no time such as 1979-01-31T06:00"),
        (_row(0, "1979-13-01"), "line 2: the calendar 'noleap' has no 1979-13-01"),
        (HEADER + "1979-01-01\n", "line 2 cannot be read .it has 1 fields, the header 6"),
        (HEADER + "1979-01-01,TC,1,2,3,4,5\n", "it has 7 fields, the header 6"),
        (HEADER + '"1979', "line 2 is no line of a CSV"),
        (HEADER + '"' + "a" * 200_000 + '"', "line 2 is no line of a CSV"),
        (HEADER.encode() + b"\xe9", "is not text in UTF-8"),
        (HEADER.encode("utf-16"), "is not text in UTF-8"),
        (HEADER.strip() + ",class\n", "has the column class twice"),
        (PIXELS + "inf,1,1,0,4,12,6,16,1\n", "year='inf' is no finite number"),
        (PIXELS + "1979,1,1,9,4,12,6,16,1\n", "time_step=9 is none of a day's steps of 3 hours"),
        (PIXELS + "1979,1,1,0,nan,12,6,16,1\n", "xmin='nan' is no finite number"),
    ],
)  # fmt: skip
def test_a_damaged_line_of_a_csv_is_named(read, content, says):
    with pytest.raises(BaryonError, match=says) as error:
        read(content)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"features":5}', "is no GeoJSON collection of features .its features are no list"),
        ("[]", "is no GeoJSON collection"),
        ("[" * 100_000, "is no GeoJSON collection"),
        (collection(None), "feature 0 cannot be read .it is no object"),
        (collection(polygon("1979-01-01", True, SQUARE)), "class is neither text nor a number"),
        (collection(polygon("1979-01-01", 10**400, SQUARE)), "is no GeoJSON collection"),
        (collection(polygon(5, "TC", SQUARE)), "'5' is no time"),
        (collection(polygon(None, "TC", SQUARE)), "time is neither text nor a number"),
        (collection(polygon("1979-01-01", "TC", [])), "its coordinates are no rings"),
        (collection(polygon("1979-01-01", "TC", {"a": 1})), "its coordinates are no rings"),
        (collection(polygon("1979-01-01", "TC", [[[1, 2], [3]]])), "a position is no pair"),
        (collection(polygon("1979-01-01", "TC", [[[10**400, 2]]])), "is no GeoJSON collection"),
        (collection(polygon("1979-01-01", "TC", SQUARE)).replace("40", "1e400"), "no pair of"),
        (collection(polygon("1979-01-01", "TC", SQUARE)).replace("40", "NaN"), "is no pair"),
        (collection({"properties": {}, "geometry": None}), "geometry is no object"),
    ],
)  # fmt: skip
def test_a_damaged_feature_of_geojson_is_named(read, content, says):
    with pytest.raises(BaryonError, match=says) as error:
        read(content, name="boxes.geojson")
    assert "\n" not in str(error.value)


def test_a_folder_or_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    with pytest.raises(BaryonError, match="is a folder without a file"):
        listed_boxes(tmp_path, frame_times(), "noleap", GLOBE, "auto", 0)
    path = tmp_path / "boxes.csv"
    path.write_text(HEADER)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BaryonError, match=r"dataset\.boxes=.*cannot be read \(.*Permission denied"):
        listed_boxes(path, frame_times(), "noleap", GLOBE, "auto", 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("column", range(5))
def test_boxes_of_files_with_a_number_that_is_none_are_refused(column, value):
    boxes = np.full((2, 3, 5), -1.0)
    boxes[1, 0] = 10, 20, 30, 40, 1
    boxes[1, 0, column] = value
    options = LabelOptions("ymin_xmin_ymax_xmax", 0, "unlabelled", "refuse")
    with pytest.raises(BaryonError, match="row 1: box 0 is"):
        labels(
            boxes, options, 96, 144, cyclic=True, place=lambda n: f"row {n}", where="dataset.train"
        )

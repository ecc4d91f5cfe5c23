"""Maps: where the boxes are, the coast, the animation."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from baryon_climate.classes import TC
from baryon_climate.grid import Grid
from baryon_climate.maps import coastlines as coast
from baryon_climate.maps.palette import CLASS_COLOURS
from baryon_climate.prediction import map as maps
from baryon_climate.prediction.animation import animate

pytestmark = pytest.mark.usefixtures("laid_out")

SMALL = Grid.globe(46, 72)
CALM = np.zeros((46, 72), np.float32)


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def _of_colour(png: bytes, colour: str) -> np.ndarray:
    """Whether each pixel is nearly of a colour."""
    wanted = np.round(255 * np.array(to_rgb(colour)))
    return np.abs(_pixels(png) - wanted).max(axis=2) < 12


@pytest.fixture(scope="module")
def chart():
    return maps.Map(SMALL)


def test_a_box_is_drawn_where_it_is(chart, make):
    quiet = chart.png(CALM, make(0, 0, [], SMALL), "quiet")
    stormy = chart.png(CALM, make(0, 0, [(30, 54, 38, 60, TC, 0.9)], SMALL), "quiet")
    assert len(quiet) > 1000
    changed = _of_colour(stormy, CLASS_COLOURS[TC]) & ~_of_colour(quiet, CLASS_COLOURS[TC])
    rows, columns = np.nonzero(changed)
    height, width = changed.shape
    assert 0.7 < columns.mean() / width < 0.78  # 285 degrees east, on axes that begin at 0.04
    assert rows.mean() / height < 0.4  # north
    again = chart.png(CALM, make(0, 0, [], SMALL), "quiet")
    assert again == quiet  # nothing of the storm is left


def test_a_box_across_the_edge_is_drawn_at_both_and_vapour_is_dark(chart, make):
    dry = chart.png(CALM + 5, make(0, 0, [], SMALL), "")
    wet = chart.png(CALM + 60, make(0, 0, [(10, 69, 16, 75, TC, 0.9)], SMALL), "")
    changed = _of_colour(wet, CLASS_COLOURS[TC]) & ~_of_colour(dry, CLASS_COLOURS[TC])
    columns = np.nonzero(changed)[1] / changed.shape[1]
    assert (columns < 0.1).any()
    assert (columns > 0.85).any()
    assert not ((columns > 0.1) & (columns < 0.85)).any()
    assert _pixels(wet).mean() < _pixels(dry).mean() - 40


@pytest.mark.parametrize(
    "size", [(161, 241, 0.25), (41, 61, 0.1), (60, 30, 1.0), (721, 1440, 0.25)]
)
def test_maps_of_all_sizes_have_ticks_and_names_that_can_be_read(make, faults_of_figure, size):
    height, width, step = size
    south = -90.0 if height == 721 else 12.5
    grid = Grid(height, width, south, step, 250.0 % 360, step, width * step == 360)
    chart = maps.Map(grid)
    boxes = [
        (height * 0.2, width * 0.9, height * 0.4, width - 1, TC, 0.9),
        (height * 0.6, 0, height * 0.99, width * 0.2, TC, 0.8),
    ]
    chart.panel.draw(make(0, 0, boxes, grid))
    axes = chart.panel.axes
    for ticks, (low, high) in (
        (axes.get_xticks(), axes.get_xlim()),
        (axes.get_yticks(), axes.get_ylim()),
    ):
        assert 3 <= len(ticks) <= 13
        assert low - 1e-6 <= ticks.min() < ticks.max() <= high + 1e-6
    assert len({label.get_text() for label in axes.get_yticklabels()}) == len(axes.get_yticks())
    assert sorted(text.get_text() for text in axes.texts) == ["TC 0.80", "TC 0.90"]
    assert faults_of_figure(axes.figure) == []


def test_coastlines_are_the_worlds_and_not_where_polygons_were_cut():
    lines = coast.coastlines(fine=False)
    assert len(lines) > 100
    points = np.concatenate(lines)
    assert (np.abs(points[:, 1]) <= 90).all()
    for longitude, latitude in ((-9.5, 38.7), (151.3, -33.8), (-74.0, 40.6), (18.4, -34.2)):
        away = np.hypot(points[:, 0] - longitude, points[:, 1] - latitude)
        assert away.min() < 0.7  # Lisbon, Sydney, New York, Cape Town
    for line in lines:
        ends = np.stack([line[:-1, 0], line[1:, 0]])
        assert not (np.abs(np.abs(ends) - 180) < 0.01).all(axis=0).any()


def test_without_the_coastlines_a_map_says_so(make, monkeypatch):
    monkeypatch.setattr(coast, "PACKAGE", "no_such_package")
    coast.coastlines.cache_clear()
    plain = maps.Map(SMALL)
    assert coast.coastlines(fine=False) is None
    texts = [text.get_text() for text in plain.panel.axes.texts]
    assert texts == ["no coastlines: pip install 'baryon[maps]'"]
    assert plain.png(CALM, make(0, 0, [], SMALL), "").startswith(b"\x89PNG")
    monkeypatch.undo()
    coast.coastlines.cache_clear()


def test_an_animation_has_no_more_frames_than_it_may(tmp_path):
    paths = []
    for number in range(7):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (1200, 600), (number * 30,) * 3).save(paths[-1])
    assert animate(paths, tmp_path / "a.gif", most=4, frames_a_second=5) == 4
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (4, (900, 450), 200)
        for number in range(4):  # every second map, in its own grey
            gif.seek(number)
            grey = gif.convert("RGB").getpixel((9, 9))
            assert grey == pytest.approx((number * 60,) * 3, abs=2)


def test_an_animation_keeps_the_colours_of_the_classes(tmp_path):
    path = tmp_path / "map.png"
    Image.new("RGB", (1200, 600), CLASS_COLOURS[TC]).save(path)
    animate([path], tmp_path / "a.gif", most=4, frames_a_second=5)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.convert("RGB").getpixel((9, 9)) == pytest.approx((213, 94, 0), abs=2)

"""The synthetic atmosphere: spectra, balance, motion, and boxes that fit what is in the fields."""

import numpy as np
import pytest

from baryon_climate.classes import AR, ETC, TC, TD
from baryon_climate.fields import index
from baryon_climate.generation import mean_state
from baryon_climate.generation.continents import geography
from baryon_climate.generation.daily_cycle import daily_cycle
from baryon_climate.generation.extent import box, connected
from baryon_climate.generation.harmonics import Harmonics, Living, Spectrum
from baryon_climate.generation.patch import Patch
from baryon_climate.generation.rivers import course
from baryon_climate.generation.storms import GALE, River, storms
from baryon_climate.generation.truth import Mark, read_boxes
from baryon_climate.generation.vortex import AIR, coriolis, holland
from baryon_climate.generation.weather import World
from baryon_climate.grid import Grid, distance


@pytest.fixture(scope="module")
def world() -> World:
    return World(Grid.globe(96, 144), seed=1, year=1979)


@pytest.fixture(scope="module")
def frames(world):
    """Days, images and used boxes over a year."""
    days = np.arange(3.0, 360.0, 17.0)
    made = [world.frame(day) for day in days]
    return [
        (day, images, boxes[boxes[:, 4] >= 0])
        for day, (images, boxes) in zip(days, made, strict=True)
    ]


def _mean(images: np.ndarray, name: str, south: float, north: float) -> float:
    latitudes = Grid.globe(96, 144).latitudes()
    rows = (latitudes >= south) & (latitudes <= north)
    return float(images[index(name)][rows].mean())


def test_the_mean_state_is_the_earths(frames):
    images = np.mean([images for _, images, _ in frames], axis=0)
    assert 297 < _mean(images, "TREFHT", -10, 10) < 303
    assert _mean(images, "TREFHT", 75, 90) < 260
    assert 35 < _mean(images, "TMQ", -8, 8) < 60
    assert 10 < _mean(images, "TMQ", 40, 50) < 18
    assert 10 < _mean(images, "TMQ", -50, -40) < 18
    assert _mean(images, "TMQ", 60, 80) < 12
    assert _mean(images, "U850", 5, 18) < -2 < 3 < _mean(images, "U850", -55, -40)
    assert (
        _mean(images, "PSL", 25, 38) > _mean(images, "PSL", -6, 6) > _mean(images, "PSL", -70, -58)
    )
    assert _mean(images, "Z200", -10, 10) - _mean(images, "Z200", 65, 85) > 900
    weights = np.cos(np.radians(Grid.globe(96, 144).latitudes()))
    rain = images[index("PRECT")].mean(axis=1) * 86400e3  # mm a day
    assert 2.2 < np.average(rain, weights=weights) < 3.3
    for south, north in ((40, 60), (-60, -40)):  # storm tracks
        assert 1.5 < _mean(images, "PRECT", south, north) * 86400e3 < 4.5


def test_summer_is_warm_on_the_hemisphere_that_has_it(world):
    winter, summer = world.frame(15.0)[0], world.frame(197.0)[0]
    assert _mean(summer, "TREFHT", 40, 60) > _mean(winter, "TREFHT", 40, 60) + 8
    assert _mean(summer, "TREFHT", -60, -40) < _mean(winter, "TREFHT", -60, -40)


def test_a_frame_follows_from_seed_year_and_day(world):
    again = World(Grid.globe(96, 144), seed=1, year=1979)
    np.testing.assert_array_equal(world.frame(40.25)[0], again.frame(40.25)[0])
    other = World(Grid.globe(96, 144), seed=1, year=1980)
    assert not np.array_equal(world.frame(40.25)[1], other.frame(40.25)[1])


def test_weather_moves_on_steadily(world):
    a, soon, later = (world.frame(day)[0][index("PSL")] for day in (50.0, 50.25, 60.0))

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(
            np.corrcoef(
                (one - one.mean(1)[:, None]).ravel(), (other - other.mean(1)[:, None]).ravel()
            )[0, 1]
        )

    assert alike(a, soon) > 0.9
    assert alike(a, later) < 0.7


def test_small_scales_have_energy_outside_storms(frames):
    """Beyond wavenumber 16 half of a circle at 50 degrees has more than 0.8 m/s: no storm does."""
    (row,) = np.flatnonzero(np.abs(Grid.globe(96, 144).latitudes() - 50) < 0.95)[:1]
    waves = np.fft.rfft([images[index("V850"), row] for _, images, _ in frames], axis=1)
    waves[:, :17] = 0
    assert np.median(np.abs(np.fft.irfft(waves, 144, axis=1))) > 0.8


def test_ground_is_warmer_than_air_by_day_and_colder_by_night(world):
    land = world.geography.land > 0.9
    tropics = np.abs(world.grid.latitudes())[:, None] < 30
    noon = (world.grid.longitudes() > 0) & (world.grid.longitudes() < 45)  # Africa
    africa = land & tropics & noon[None, :]
    skin, air = [], []
    for hour in (0, 6, 11, 15):
        images, _ = world.frame(100 + hour / 24)
        skin.append(float((images[index("TS")] - images[index("TREFHT")])[africa].mean()))
        air.append(float(images[index("TREFHT")][africa].mean()))
    assert max(skin[:1]) < -0.5 < 4 < skin[2]
    assert air[3] > air[1] + 4  # the afternoon, against the early morning


def test_the_daily_cycle_leaves_the_mean_as_it_is():
    grid = Grid.globe(48, 72)
    land = geography(grid)
    dryness = np.ones((48, 72), np.float32)
    cycles = [daily_cycle(grid, land, dryness, 80 + hour / 24) for hour in range(24)]
    np.testing.assert_allclose(np.mean([cycle.air for cycle in cycles], axis=0), 0, atol=0.05)
    np.testing.assert_allclose(np.mean([cycle.showers for cycle in cycles], axis=0), 1, atol=0.01)
    assert np.ptp([cycle.air[24, 4] for cycle in cycles]) > 3  # Congo
    sea = land.land == 0
    assert all((cycle.air[sea] == 0).all() and (cycle.skin[sea] == 0).all() for cycle in cycles)


def test_rivers_of_worlds_are_as_large_in_summer_as_in_winter():
    areas: dict[bool, list[float]] = {True: [], False: []}
    grid = Grid.globe(72, 108)
    for seed in range(1, 5):
        world = World(grid, seed, 1979)
        for day in np.concatenate([np.arange(0, 60, 6.0), np.arange(165, 240, 6.0)]):
            for *edges, kind in world.frame(day)[1]:
                if kind == AR:
                    north = grid.latitudes((edges[0] + edges[2]) / 2) > 0
                    summer = bool(north) == (mean_state.season(day) > 0)
                    areas[summer].append(float(grid.areas(np.array([edges]))[0]))
    assert min(map(len, areas.values())) > 15
    assert 0.6 < np.median(areas[True]) / np.median(areas[False]) < 1.7


def test_all_classes_come_in_about_the_known_shares(frames):
    kinds = np.concatenate([boxes[:, 4] for _, _, boxes in frames])
    shares = np.bincount(kinds, minlength=4) / len(kinds)
    assert shares[ETC] > shares[AR] > 0.03
    assert shares[TC] > shares[TD] > 0.03
    assert 4 < len(kinds) / len(frames) < 12


def test_boxes_lie_around_storms_that_are_in_the_fields(frames, world):
    for day, images, boxes in frames:
        wind = np.hypot(images[index("U850")], images[index("V850")])
        for ymin, xmin, ymax, xmax, kind in boxes:
            columns = np.arange(xmin, xmax + 1) % 144
            inside = np.s_[ymin : ymax + 1, columns]
            if kind == TC:
                assert wind[inside].max() >= GALE
            if kind == AR:
                around = images[index("TMQ")][ymin : ymax + 1]
                assert images[index("TMQ")][inside].max() > np.median(around) + 5
            if kind == ETC:
                assert (
                    images[index("PSL")][inside].min()
                    < images[index("PSL")][ymin : ymax + 1].mean()
                )
            if kind != AR:
                assert _nearest_storm(world, day, (ymin + ymax) / 2, (xmin + xmax) / 2) < 1200


def _nearest_storm(world: World, day: float, y: float, x: float) -> float:
    grid = world.grid
    latitude, longitude = grid.latitudes(y), grid.longitudes(x)
    return min(
        float(distance(latitude, longitude, *storm.place(day)))
        for storm in world.storms
        if storm.alive(day)
    )


def test_a_river_is_as_large_in_summer_as_in_winter():
    """Its vapour is read against the season's mean: against the year's, summer's are larger."""
    grid = Grid.globe(96, 144)
    river = River(length=4500.0, width=320.0, vapour=18.0, wind=20.0, bend=0.1)
    run = course(grid, river, (45.0, 200.0), 1, 1200.0)
    bell = np.exp(-((run.distance / river.width) ** 2)) * run.envelope
    mark = Mark(AR, run.patch, run, run.distance < 0.5 * river.width, river.vapour)
    areas = []
    for summer in (-1.0, 0.0, 1.0):
        images = np.zeros((16, 96, 144), np.float32)
        images[index("TMQ")] = mean_state.vapour(grid.latitudes()[:, None], summer)
        run.patch.add(images[index("TMQ")], river.vapour * bell)
        (found, *_) = read_boxes([mark], images, grid, summer)
        assert found[4] == AR
        areas.append(float(grid.areas(found[None, :4].astype(float))[0]))
    assert areas == pytest.approx([areas[1]] * 3, rel=0.02)


def test_storms_move_as_theirs_do():
    its = storms(np.random.default_rng(4))
    assert len(its) > 400
    for storm in its[:200]:
        day = storm.birth + 0.5 * storm.life
        before, after = storm.place(day - 0.25), storm.place(day + 0.25)
        km_an_hour = float(distance(*before, *after)) / 12
        assert km_an_hour < 90
        assert abs(after[0]) >= abs(before[0]) - 0.01  # poleward
        if not storm.tropical:
            assert (after[1] - before[1] + 180) % 360 - 180 > -0.5


def test_storms_keep_apart():
    its = storms(np.random.default_rng(5))
    for day in range(0, 365, 20):
        there = [storm for storm in its if storm.alive(day)]
        places = [storm.place(day) for storm in there]
        assert sum(2 if storm.river else 1 for storm in there) <= 15
        for number, place in enumerate(places):
            for other in places[:number]:
                assert float(distance(*place, *other)) > 600


def test_hollands_vortex_has_its_wind_where_it_should():
    radius = np.linspace(20, 600, 1200)
    pressure, wind = holland(radius, 50, 80, 1.4, 20)
    assert wind.max() == pytest.approx(50, rel=0.06)
    assert radius[wind.argmax()] == pytest.approx(80, rel=0.1)
    near = radius < 400  # beyond, the field is faded out
    slope = np.gradient(pressure, radius * 1000)[near]
    turning = coriolis(20)
    balance = wind[near] ** 2 / (radius[near] * 1000) + turning * wind[near]
    np.testing.assert_allclose(slope[5:] / AIR, balance[5:], rtol=0.03, atol=1e-5)


@pytest.mark.parametrize("degree", [1, 4, 11])
def test_spherical_harmonics_have_the_variance_of_their_spectrum(degree):
    grid = Grid.globe(64, 96)
    weights = grid.cell_areas() / grid.cell_areas().sum() / 96
    spectrum = Spectrum(peak=12, slope=3, lowest=degree)
    variances = []
    for seed in range(30):
        living = Living(np.random.default_rng(seed), 20, spectrum, 3, 5)
        field = Harmonics(grid, 20).values(living.coefficients(1.0 + seed))
        variances.append(float((weights @ field.astype(float) ** 2).sum()))
    assert np.mean(variances) == pytest.approx(1, rel=0.12)


def test_a_living_field_drifts_and_forgets():
    grid = Grid.globe(64, 96)
    harmonics = Harmonics(grid, 20)
    living = Living(np.random.default_rng(1), 20, Spectrum(8, 4), memory_days=400, drift=15)
    first, turned = (harmonics.values(living.coefficients(day)) for day in (0.0, 1.0))
    moved = np.roll(first, 4, axis=1)  # 15 degrees
    assert np.corrcoef(moved.ravel(), turned.ravel())[0, 1] > 0.99
    forgetting = Living(np.random.default_rng(1), 20, Spectrum(8, 4), memory_days=1, drift=0)
    far = harmonics.values(forgetting.coefficients(30.0))
    assert abs(np.corrcoef(first.ravel(), far.ravel())[0, 1]) < 0.5


def test_patches_cross_the_seam_and_measure_in_km():
    grid = Grid.globe(181, 360)
    patch = Patch.around(grid, 0.0, 359.0, 500)
    field = np.zeros((181, 360))
    patch.add(field, patch.radius < 250)
    assert field[90, [357, 358, 359, 0, 1]].tolist() == [1, 1, 1, 1, 1]
    assert field[:, 100:300].sum() == 0
    assert patch.radius.min() == 1.0
    found = np.argwhere(field)
    north = found[:, 0] - 90
    assert north.max() == 2
    assert north.min() == -2


def test_regions_hang_together():
    mask = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]], bool)
    seeds = np.zeros_like(mask)
    seeds[0, 0] = True
    assert connected(mask, seeds).sum() == 4
    grid = Grid.globe(181, 360)
    patch = Patch.around(grid, 10.0, 359.0, 500)
    ymin, xmin, ymax, xmax = box(patch, patch.radius < 350, 181, 360)
    assert (ymin, ymax) == (97, 103)
    assert (xmin, xmax) == (356, 362)
    assert box(patch, patch.radius < 0, 181, 360) is None


def test_land_is_where_it_is():
    found = geography(Grid.globe(181, 360))
    for latitude, longitude, land in (
        (50, 100, 1), (0, 20, 1), (-10, 300, 1), (-25, 133, 1), (-85, 50, 1), (40, 260, 1),
        (0, 200, 0), (-30, 80, 0), (40, 320, 0), (-60, 200, 0),
    ):  # fmt: skip
        assert round(float(found.land[latitude + 90, longitude])) == land
    assert found.height[123, 90] > 3000
    assert (found.height[found.land == 0] == 0).all()

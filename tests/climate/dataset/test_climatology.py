"""The mean map and the departures from it: right, of training frames alone, cut as inputs are."""

import pickle

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset import climatology as module
from baryon_climate.fields import CHANNELS, index

CHANNEL = [None, slice(None), None, None]


def varied(images: np.ndarray) -> np.ndarray:
    """Frames that are mostly one map, as real ones are."""
    usual = images.mean(axis=0, keepdims=True) + 0 * images
    usual[:] = images[:1]
    return (usual + 0.05 * (images - usual)).astype(np.float32)


@pytest.fixture
def years(write_year):
    write_year(1979, images=varied)
    write_year(1980, images=varied)


def expected(split) -> tuple[np.ndarray, np.ndarray]:
    """Anomalies of all frames by plain NumPy, and the scaled frames."""
    frames = split.source.read(0, len(split)).astype(np.float64)
    middle, half = split.scaling.T.astype(np.float64)
    scaled = (frames - middle[*CHANNEL]) / half[*CHANNEL]
    away = scaled - scaled.mean(axis=0)
    return away / np.sqrt((away**2).mean(axis=(0, 2, 3)))[*CHANNEL], scaled


def test_anomalies_are_standardised_departures_from_the_mean_of_training(years, open_years):
    splits = open_years(train=1979, val=1980, anomalies="all").splits
    train = splits["train"]
    anomalies, scaled = expected(train)
    batch = train.read(0, len(train))
    assert batch["anomalies"].dtype == np.float32
    np.testing.assert_allclose(batch["inputs"], scaled, atol=1e-5)
    np.testing.assert_allclose(batch["anomalies"], anomalies, atol=2e-3)
    of_val = splits["val"].read(0, 2)
    same_map = batch["inputs"] - batch["anomalies"] * train.climatology.deviation[*CHANNEL]
    again = of_val["inputs"] - of_val["anomalies"] * train.climatology.deviation[*CHANNEL]
    np.testing.assert_allclose(again, same_map[:2], atol=1e-5)


def test_samples_without_the_option_have_none(years, open_years):
    split = open_years(train=1979).splits["train"]
    assert "anomalies" not in split.fields
    assert "anomalies" not in split.read(0, 1)


def test_the_map_is_made_once_and_shared_by_processes(years, open_years, monkeypatch):
    first = open_years(train=1979, anomalies="all").splits["train"]
    monkeypatch.setattr(module, "_made", lambda *_: pytest.fail("made again"))
    again = open_years(train=1979, anomalies="all").splits["train"]
    np.testing.assert_array_equal(first.climatology.maps, again.climatology.maps)
    assert isinstance(again.climatology.maps, np.memmap)
    state = pickle.dumps(again.climatology)
    assert len(state) < 2000
    np.testing.assert_array_equal(pickle.loads(state).maps, first.climatology.maps)  # noqa: S301


def test_a_cache_that_cannot_be_written_costs_the_pass_only(years, open_years, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(module.np, "save", refuse)
    split = open_years(train=1979, anomalies="all").splits["train"]
    np.testing.assert_allclose(split.read(0, 8)["anomalies"], expected(split)[0], atol=2e-3)


def test_months_have_maps_of_their_own(write_year, open_years):
    attributes = {"hours_between_frames": 15 * 24, "frames": 8}  # January to April
    write_year(1979, images=varied, attributes=attributes)
    split = open_years(train=1979, anomalies="month").splits["train"]
    assert split.climatology.frames == (3, 1, 2, 2, *[0] * 8)
    batch = split.read(0, 8)
    np.testing.assert_allclose(batch["anomalies"][3], 0, atol=1e-3)  # alone in its month
    np.testing.assert_allclose(batch["anomalies"][:3].mean(axis=0), 0, atol=1e-3)
    assert np.abs(batch["anomalies"][0]).mean() > 0.3


def test_a_month_without_training_frames_is_refused(write_year, open_years):
    write_year(1979, images=varied)
    write_year(1980, images=varied, attributes={"hours_between_frames": 600, "frames": 8})
    with pytest.raises(BaryonError, match=r"^dataset\.val has frames of February, .*anomalies=all"):
        open_years(train=1979, val=1980, anomalies="month")
    with pytest.raises(BaryonError, match="choose from: all, month, null"):
        open_years(train=1979, anomalies="day")


def test_a_channel_that_never_changes_is_named(write_year, open_years):
    def still(images: np.ndarray) -> np.ndarray:
        images = varied(images)
        images[:, index("ZBOT")] = images[:1, index("ZBOT")]
        return images

    write_year(1979, images=still)
    with pytest.raises(BaryonError, match="ZBOT is the same map in all training frames"):
        open_years(train=1979, anomalies="all")


def test_anomalies_are_cut_and_mirrored_with_their_frames(years, open_years):
    split = open_years(train=1979, anomalies="all", mirror=True, augment=True, crop=12)
    split = split.splits["train"]
    batch = {**split.read(0, 4), "keys": np.arange(4)}
    deviation = split.climatology.deviation[*CHANNEL]
    usual = split.climatology.maps
    changed = split.augment(batch, np.random.default_rng(3))
    assert changed["anomalies"].shape == (4, 16, 12, 12)
    assert split.augmented_fields["anomalies"].shape == (16, 12, 12)
    # what is left without the anomaly is the map, at the same place, mirrored or not
    back = changed["inputs"] - changed["anomalies"] * deviation
    pixels = set(np.round(usual[0, index("TMQ")].ravel(), 4))
    near = [round(float(value), 4) for value in back[:, index("TMQ")].ravel()]
    close = [any(abs(value - p) < 2e-4 for p in pixels) for value in near[:50]]
    assert all(close)


def test_fixed_crops_and_windows_take_the_map_of_their_place(years, open_years):
    crop = open_years(train=1979, anomalies="all", crop=12).splits["train"]
    whole = open_years(train=1979, anomalies="all").splits["train"].read(0, 8)
    cut = crop.read(0, 8)
    for number, grid in enumerate(cut["grid"]):
        row = round((grid[0] + 90) / crop.grid.latitude_step)
        column = round(grid[2] / crop.grid.longitude_step)
        columns = (column + np.arange(12)) % 36
        part = whole["anomalies"][number][:, row : row + 12][..., columns]
        np.testing.assert_array_equal(cut["anomalies"][number], part)
    window = open_years(train=1979, anomalies="all", window=4).splits["train"].read(0, 1)
    assert window["anomalies"].shape == window["inputs"].shape == (1, 16, 4, 24, 36)
    np.testing.assert_allclose(window["anomalies"][0, :, 2], whole["anomalies"][2], atol=1e-5)


def test_northward_winds_change_their_sign_in_the_mirror(years, open_years):
    split = open_years(train=1979, anomalies="all", mirror=True).splits["train"]

    class Always:
        def random(self, count):
            return np.zeros(count)

    batch = {**split.read(0, 2), "keys": np.arange(2)}
    mirrored = split.augment(batch, Always())["anomalies"]
    for channel in CHANNELS:
        sign = -1 if channel.name in ("V850", "VBOT") else 1
        number = index(channel.name)
        np.testing.assert_array_equal(
            mirrored[:, number], sign * batch["anomalies"][:, number, ::-1]
        )

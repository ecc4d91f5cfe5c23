"""Images: nothing lost, everything in its place."""

import numpy as np
import pytest

from baryon_hep.generation.detector import Towers, Tracks
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.images import MANTISSA_BITS, render, rounded


def hits(towers, tracks=()) -> Hits:
    """One event."""
    towers, tracks = np.array(towers, np.float32), np.array(tracks, np.float32)
    return Hits(
        np.array([len(towers)]),
        np.array([len(tracks)]),
        towers.reshape(-1, 4),
        tracks.reshape(-1, 2),
    )


def some_hits(events=3, seed=5) -> Hits:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 200, events)
    towers = np.stack(
        [
            random.uniform(-2.5, 2.499, counts.sum()),
            random.uniform(-np.pi, np.pi, counts.sum()),
            random.exponential(20, counts.sum()),
            random.exponential(5, counts.sum()),
        ],
        axis=1,
    )
    return Hits(counts, counts, towers.astype(np.float32), towers[:, :2].astype(np.float32))


@pytest.mark.parametrize("size", [64, 224])
def test_energy_and_tracks_are_those_of_the_hits(size):
    made = some_hits()
    inside = (made.towers[:, 0] >= -2.5) & (made.towers[:, 0] < 2.5)
    event = np.repeat(np.arange(3), made.tower_counts)[inside]
    images = render(made, size, 2.5)
    assert images.dtype == np.float32
    assert images.shape == (3, 3, size, size)
    for channel, column in ((0, 2), (1, 3)):
        energy = np.bincount(event, made.towers[inside, column].astype(float) * 1000, 3)
        np.testing.assert_allclose(images[:, channel].sum((1, 2)), energy, rtol=2.0**-MANTISSA_BITS)
    np.testing.assert_array_equal(images[:, 2].sum((1, 2)), np.bincount(event, minlength=3))


def test_rows_are_phi_and_columns_eta():
    image = render(hits([[-2.4, 1.6, 3.0, 1.0]], [[2.4, -3.1]]), 64, 2.5)[0]
    row, column = int((1.6 + np.pi) / (2 * np.pi) * 64), int(0.1 / 5 * 64)
    assert image[0, row, column] == pytest.approx(3000, rel=1e-3)
    assert image[1, row, column] == pytest.approx(1000, rel=1e-3)
    assert image[2, 0, 62] == 1
    assert np.count_nonzero(image) == 3


def test_hits_beyond_the_window_are_left_out_and_phi_ends_meet():
    towers = [[2.6, 0, 5, 5], [-2.6, 0, 5, 5], [0, np.pi, 7, 0], [0, -np.pi, 7, 0]]
    image = render(hits(towers), 64, 2.5)[0]
    assert image[0].sum() == pytest.approx(14000)
    assert image[0, 63, 32] == image[0, 0, 32] == pytest.approx(7000)


@pytest.mark.parametrize("size", [64, 224])
def test_uniform_hits_make_flat_images(size):
    """Positions are finer than pixels of any size: their rounding must not show as a comb."""
    random = np.random.default_rng(3)
    count = 3_000 * size
    eta, phi = random.uniform(-5, 5, count), random.uniform(-np.pi, np.pi, count)
    counts, ones = np.array([count]), np.ones(count)
    made = Hits.of(Towers(counts, eta, phi, ones, ones), Tracks(counts, eta, phi))
    image = render(made, size, 5.0)[0]
    for hits_of_pixel in (image[0] / 1000, image[2]):  # towers of 1 GeV, and tracks
        for axis in (0, 1):
            sums = hits_of_pixel.sum(axis, dtype=np.float64)
            pull = (sums - count / size) / np.sqrt(count / size)
            assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * size))


def test_rounding_keeps_eleven_bits():
    values = np.array([0, 1, 1 + 2.0**-12, 1 + 2.0**-11, 123456.7], np.float32)
    kept = rounded(values)
    assert kept[:2].tolist() == [0, 1]
    assert kept[3] == values[3]
    np.testing.assert_allclose(kept, values, rtol=2.0**-12)
    assert not (kept.view(np.uint32) & 0xFFF).any()


def test_rows_and_where_pick_whole_events():
    made = some_hits(6)
    again = Hits.joined([made.rows(0, 2), made.rows(2, 6)])
    np.testing.assert_array_equal(again.towers, made.towers)
    kept = made.where(np.array([False, False, True, True, False, False]))
    np.testing.assert_array_equal(kept.tracks, made.rows(2, 4).tracks)

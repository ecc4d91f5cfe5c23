"""What a sample is, and which files are refused with one line."""

from contextlib import closing

import h5py
import numpy as np
import pytest

from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.data.workers.worker_group import WorkerGroup
from baryon.errors import BaryonError
from baryon_climate.dataset.box_order import IN_THE_WILD, ORDERS
from baryon_climate.generation.year_file import stored_order
from baryon_climate.grid import Grid

torch = pytest.importorskip("torch")


def message(error: pytest.ExceptionInfo[BaryonError]) -> str:
    """One line."""
    assert "\n" not in str(error.value)
    return str(error.value)


def said(capsys) -> str:
    """All that was shown, in one line."""
    return " ".join(" ".join(capsys.readouterr()).split())


def test_a_sample_is_the_stored_frame_scaled_to_one(write_year, open_years):
    path = write_year(1979)
    split = open_years(train=1979).splits["train"]
    with h5py.File(path, locking=False) as file:
        images, boxes = file["images"][:], file["boxes"][:]
    read = split.read(2, 5)
    middle, half = read["scaling"][0].T[..., None, None]
    assert read["inputs"].min() >= -1.00001
    assert read["inputs"].max() <= 1.00001
    np.testing.assert_allclose(read["inputs"], (images[2:5] - middle) / half, atol=1e-6)
    np.testing.assert_array_equal(read["boxes"], boxes[2:5])
    assert read["labelled"].tolist() == [1, 1, 1]
    assert read["time"].tolist() == [(79 * 8760 + 6 * row) * 3600 for row in (2, 3, 4)]
    assert (read["calendar"].tolist(), read["synthetic"].tolist()) == ([0] * 3, [0] * 3)
    np.testing.assert_array_equal(read["grid"][0], Grid.globe(24, 36).array())
    for name, field in split.fields.items():
        assert (read[name].shape[1:], read[name].dtype.name) == (field.shape, field.dtype)


def test_training_sets_the_scale_of_the_others(write_year, open_years):
    write_year(1979)
    write_year(1980, images=lambda images: images * 2)
    splits = open_years(train=1979, val=1980).splits
    np.testing.assert_array_equal(splits["val"].scaling, splits["train"].scaling)
    assert splits["val"].read(0, 8)["inputs"].max() > 1.5


@pytest.mark.parametrize("order", ORDERS)
def test_boxes_come_in_one_order_from_any(write_year, open_years, order, capsys):
    expected = write_year(1979)
    with h5py.File(expected, locking=False) as file:
        boxes = file["boxes"][:]
    write_year(1980, boxes=stored_order(boxes, order))
    asked = "auto" if order in IN_THE_WILD else order
    split = open_years(train=1980, box_order=asked).splits["train"]
    np.testing.assert_array_equal(split.read(0, 8)["boxes"], boxes)
    assert (order in said(capsys)) == (asked == "auto")


def test_boxes_that_fit_both_orders_are_asked_about(write_year, open_years):
    both = np.full((8, 15, 5), -1, np.int32)
    both[:, 0] = (2, 10, 12, 20, 1)  # min < max in columns 0, 2 and 1, 3, and in 0, 1 and 2, 3
    write_year(1979, boxes=both)
    with pytest.raises(BaryonError) as error:
        open_years(train=1979)
    assert "give dataset.box_order=" in message(error)
    assert "not clear from 8 boxes" in message(error)
    told = open_years(train=1979, box_order="ymin_ymax_xmin_xmax").splits["train"]
    assert told.read(0, 1)["boxes"][0, 0].tolist() == [2, 12, 10, 20, 1]


def _box(*box: int):
    def change(boxes: np.ndarray) -> np.ndarray:
        boxes[3, 0] = box
        return boxes

    return change


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ((9, 5, 4, 12, 1), "box 0 is of no or negative size"),
        ((2, 5, 99, 12, 1), "box 0 is outside the frame"),
        ((2, 5, 9, 99, 1), "box 0 is outside the frame"),
        ((2, 5, 9, 12, 4), "box 0 is of an unknown class"),
    ],
)
def test_boxes_that_cannot_be_are_refused_or_dropped(write_year, open_years, box, fault, capsys):
    path = write_year(1979, boxes=_box(*box))
    with pytest.raises(BaryonError) as error:
        open_years(train=1979, box_order=ORDERS[0])
    assert message(error).startswith(f"{path}, row 3: {fault}")
    split = open_years(train=1979, box_order=ORDERS[0], bad_boxes="drop").splits["train"]
    assert f"row 3: {fault}" in said(capsys)
    assert (split.labels.boxes[..., 4] <= 3).all()
    assert (split.labels.boxes[3] != np.array(box)).any(axis=1).all()


def test_classes_may_count_from_one(write_year, open_years):
    def one_more(boxes: np.ndarray) -> np.ndarray:
        boxes[..., 4] += boxes[..., 4] >= 0
        return boxes

    write_year(1979)
    write_year(1980, boxes=one_more)
    with pytest.raises(BaryonError, match=r"dataset\.first_class=1"):
        open_years(train=1980, box_order=ORDERS[0])
    split = open_years(train=1980, box_order=ORDERS[0], first_class=1).splits["train"]
    assert set(np.unique(split.labels.boxes[..., 4])) == {-1, 0, 1, 2, 3}


def test_frames_without_a_box_are_what_the_option_says(write_year, open_years):
    def emptied(boxes: np.ndarray) -> np.ndarray:
        boxes[::2] = -1
        return boxes

    write_year(1979, boxes=emptied)
    nobody_looked = open_years(train=1979).splits["train"].read(0, 8)["labelled"]
    assert nobody_looked.tolist() == [0, 1] * 4
    nothing_there = open_years(train=1979, empty_frames="labelled").splits["train"]
    assert nothing_there.read(0, 8)["labelled"].tolist() == [1] * 8


def test_a_share_of_the_labels_is_kept_the_same_by_seed(write_year, open_years):
    write_year(1979, frames=40)

    def kept(share: float, seed: int = 1) -> set[int]:
        split = open_years(train=1979, labelled_share=share, labelled_seed=seed).splits["train"]
        return set(np.flatnonzero(split.read(0, 40)["labelled"]).tolist())

    assert len(kept(0.1)) == 4
    assert kept(0.1) == kept(0.1) < kept(0.5)
    assert kept(0.1) != kept(0.1, seed=2)
    with pytest.raises(BaryonError, match=r"labelled_share=0 must be above 0"):
        kept(0)


def test_other_splits_keep_their_labels(write_year, open_years):
    write_year(1979)
    write_year(1980)
    splits = open_years(train=1979, val=1980, labelled_share=0.25).splits
    assert splits["val"].read(0, 8)["labelled"].sum() == 8
    assert splits["train"].read(0, 8)["labelled"].sum() == 2


def test_windows_hold_consecutive_frames_around_the_labelled_one(write_year, open_years):
    write_year(1979)
    write_year(1981)
    alone = open_years(train="1979").splits["train"].read(0, 8)
    windows = open_years(train=[1979, 1981], window=3).splits["train"]
    assert windows.fields["inputs"].shape == (16, 3, 24, 36)
    assert len(windows) == 2 * (8 - 2)  # none spans the years between the files
    read = windows.read(0, 2)
    scale = windows.scaling
    physical = read["inputs"] * scale[:, 1, None, None, None] + scale[:, 0, None, None, None]
    single = open_years(train="1979").splits["train"]
    frames = alone["inputs"] * single.scaling[:, 1, None, None] + single.scaling[:, 0, None, None]
    for step in range(3):
        apart = (physical[:, :, step] - frames[step : step + 2]) / scale[:, 1, None, None]
        assert np.abs(apart).max() < 1e-5
    np.testing.assert_array_equal(read["boxes"], alone["boxes"][1:3])
    np.testing.assert_array_equal(read["time"], alone["time"][1:3])
    crossing = windows.read(4, 8)["inputs"]  # two windows of either year
    assert crossing.shape == (4, 16, 3, 24, 36)


def test_chunks_of_many_steps_are_read_in_bounded_runs(write_year, open_years, monkeypatch):
    monkeypatch.setattr("baryon_climate.dataset.climate_extreme_weather.RUN_MIB", 0.12)
    write_year(1979, chunks=(8, 4, 12, 12))
    split = open_years(train=1979).splits["train"]
    assert list(split.chunk_starts()) == [0, 2, 4, 6]
    whole = split.read(0, 8)["inputs"]
    np.testing.assert_array_equal(split.read(3, 4)["inputs"][0], whole[3])


def _loading(**changes):
    settings = {"batch_size": 4, "window_mib": 1, "prefetch": 1, "seed": 3, "threads": 2}
    return Loading(**(settings | changes), device=torch.device("cpu"))


def test_training_crops_are_elsewhere_in_every_epoch_and_repeat_by_seed(write_year, open_years):
    write_year(1979)
    write_year(1980)
    splits = open_years(train=1979, val=1980, crop=16, augment=True).splits
    split = splits["train"]
    assert split.fields["inputs"].shape == (16, 24, 36)
    assert split.augmented_fields["inputs"].shape == (16, 16, 16)
    assert splits["val"].fields["inputs"].shape == (16, 16, 16)

    def epoch(number: int) -> list[np.ndarray]:
        batches = Loader(split, _loading()).shuffled(number)
        return [batch["grid"].numpy().copy() for batch in batches]

    first, again, second = epoch(0), epoch(0), epoch(1)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    (batch, *_) = Loader(split, _loading()).shuffled(0)
    assert batch["inputs"].shape == (4, 16, 16, 16)
    assert batch["keys"].shape == (4,)


def test_reading_processes_cut_the_same_crops(write_year, open_years):
    write_year(1979)
    split = open_years(train=1979, crop=16, augment=True).splits["train"]
    with closing(WorkerGroup(1)) as readers:
        processes = list(Loader(split, _loading(readers=readers)).shuffled(0))
    for one, other in zip(Loader(split, _loading()).shuffled(0), processes, strict=True):
        assert list(one) == list(other)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_augmented_samples_hold_the_pixels_that_their_grid_says(write_year, open_years):
    write_year(1979)
    plain = open_years(train=1979).splits["train"].read(0, 8)
    split = open_years(train=1979, crop=[20, 30], augment=True).splits["train"]
    cut = split.augment(split.read(0, 8), np.random.default_rng(5))
    globe = Grid.globe(24, 36)
    for sample in range(8):
        grid = Grid.of(cut["grid"][sample], 20, 30)
        row, column = (
            round(float(globe.rows(grid.latitude))),
            round(float(globe.columns(grid.longitude))),
        )
        expected = np.roll(plain["inputs"][sample], -column, axis=2)[:, row : row + 20, :30]
        np.testing.assert_array_equal(cut["inputs"][sample], expected)
        assert not grid.cyclic


def test_whole_circles_are_turned_with_their_boxes(write_year, open_years):
    write_year(1979)
    split = open_years(train=1979, augment=True).splits["train"]
    whole = split.read(0, 4)
    turned = split.augment(split.read(0, 4), np.random.default_rng(1))
    for sample in range(4):
        shift = round(float(turned["grid"][sample][2]) / 10)
        expected = np.roll(whole["inputs"][sample], -shift, axis=2)
        np.testing.assert_array_equal(turned["inputs"][sample], expected)
        before, after = whole["boxes"][sample], turned["boxes"][sample]
        used = before[:, 4] >= 0
        np.testing.assert_array_equal(
            after[used, 3] - after[used, 1], (before[:, 3] - before[:, 1])[used]
        )
        np.testing.assert_array_equal(after[used, 1], (before[used, 1] - shift) % 36)
    assert turned["grid"][0][4] == 1


def test_wrong_channels_are_named(write_year, open_years):
    path = write_year(1979, images=lambda images: images[:, :15])
    with pytest.raises(BaryonError) as error:
        open_years(train=1979)
    assert message(error).startswith(f"{path}: member 'images' has shape (T, 15, 24, 36)")


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "NaN"), (1e36, "the fill value 1e+36")])
def test_gaps_are_named(write_year, open_years, value, shown):
    def holed(images: np.ndarray) -> np.ndarray:
        images[5, 6, 2:4, 3] = value
        return images

    path = write_year(1979, images=holed)
    with pytest.raises(BaryonError) as error:
        open_years(train=1979)
    assert message(error).startswith(f"{path}, row 5: TMQ holds {shown} in 2 of 864 pixels")


def test_gaps_in_validation_are_found_too(write_year, open_years):
    def first_value_lost(images: np.ndarray) -> np.ndarray:
        images[1, 0, 0, 0] = np.nan
        return images

    write_year(1979)
    path = write_year(1980, images=first_value_lost)
    with pytest.raises(BaryonError, match="PRECT holds NaN") as error:
        open_years(train=1979, val=1980)
    assert str(path) in message(error)


def test_a_channel_that_never_changes_is_named(write_year, open_years):
    def flat(images: np.ndarray) -> np.ndarray:
        images[:, 14] = 11_000
        return images

    write_year(1979, images=flat)
    with pytest.raises(BaryonError, match="Z200 is 11000 everywhere"):
        open_years(train=1979)


def test_channels_in_another_order_are_warned_of(write_year, open_years, capsys):
    write_year(1979, images=lambda images: images[:, ::-1])
    open_years(train=1979)
    assert "no atmosphere has such values" in said(capsys)


def test_files_missing_in_a_range_are_listed_together(write_year, open_years):
    write_year(1979)
    write_year(1982)
    with pytest.raises(BaryonError) as error:
        open_years(train="1979-1982")
    assert "lacks climo_1980.h5, climo_1981.h5; it has the years 1979, 1982" in message(error)
    assert len(open_years(train=[1979, 1982]).splits["train"]) == 16


@pytest.mark.parametrize("given", ["79-81", "1981-1979", "all", ""])
def test_years_that_are_none_are_named(write_year, open_years, given):
    write_year(1979)
    with pytest.raises(BaryonError, match=r"dataset\.train.*year"):
        open_years(train=given)


def test_a_year_belongs_to_one_split(write_year, open_years):
    write_year(1979)
    with pytest.raises(BaryonError, match=r"1979 is in dataset\.train and in dataset\.test"):
        open_years(train=1979, test=1979)


def test_a_sample_says_that_its_file_is_synthetic(write_year, open_years):
    told = {"hours_between_frames": 6, "frames": 8, "synthetic": "yes: drawn by a program"}
    write_year(1979, attributes=told)
    write_year(1980)
    splits = open_years(train=1979, test=1980).splits
    assert [splits[name].read(0, 1)["synthetic"].tolist() for name in splits] == [[1], [0]]


def test_truncated_years_are_named(write_year, open_years):
    path = write_year(1979, attributes={})
    with pytest.raises(BaryonError) as error:
        open_years(train=1979)
    assert message(error).startswith(f"{path} is truncated: it holds 8 frames, a whole year has ")
    assert open_years(train=1979, step_hours=3).splits["train"].read(1, 2)["time"] == [
        (79 * 8760 + 3) * 3600
    ]
    cut = write_year(1980, attributes={"hours_between_frames": 6, "frames": 9})
    with pytest.raises(BaryonError) as error:
        open_years(train=1980)
    assert message(error).startswith(f"{cut} is truncated: it holds 8 frames, a whole year has 9")


def test_splits_of_other_sizes_are_named(write_year, open_years):
    write_year(1979)
    write_year(1980, images=lambda images: np.ascontiguousarray(images[:, :, :12]), chunks=True)
    with pytest.raises(BaryonError, match=r"dataset\.val: frames of shape \(16, 12, 36\)"):
        open_years(train=1979, val=1980, bad_boxes="drop")


def test_crops_larger_than_frames_are_named(write_year, open_years):
    write_year(1979)
    with pytest.raises(
        BaryonError, match=r"dataset\.crop=\[768, 768\] does not fit into frames of"
    ):
        open_years(train=1979, crop=768)

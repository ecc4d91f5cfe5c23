import h5py
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_hep.dataset.hep_images import HepImages


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def open_images(train, **changes) -> HepImages:
    arguments = {"val": None, "test": None, "channel_max": None, "check_pixels": True}
    arguments |= {"augment": False}
    return HepImages(train=str(train), **arguments | changes)


def error(train, **changes) -> str:
    with pytest.raises(BaryonError) as raised:
        open_images(train, **changes)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("size", [64, 224])
def test_reads_what_the_file_holds(tmp_path, write_events, size):
    path = write_events(tmp_path / "train.h5", 20, size=size)
    split = open_images(path, channel_max=[2, 4, 8]).splits["train"]
    rows = split.read(3, 9)
    with h5py.File(path, locking=False) as file:
        stored = file["data"][3:9]
        assert rows["inputs"] == pytest.approx(stored / np.reshape([2, 4, 8], (3, 1, 1)))
        for name in ("label", "weight", "normweight", "psr"):
            assert rows[name] == pytest.approx(file[name][3:9])
    assert split.fields["inputs"].shape == (3, size, size)
    assert {name: f.dtype for name, f in split.fields.items()} == {
        name: values.dtype.name for name, values in rows.items()
    }


def test_channels_are_divided_by_their_training_maximum(tmp_path, write_events):
    train = write_events(tmp_path / "train.h5", 40, seed=1)
    test = write_events(tmp_path / "test.h5", 40, seed=2)
    splits = open_images(train, test=str(test)).splits
    assert splits["train"].read(0, 40)["inputs"].max(axis=(0, 2, 3)).tolist() == [1, 1, 1]
    with h5py.File(train, locking=False) as file:
        maximum = file["data"][:].max(axis=(0, 2, 3))
    with h5py.File(test, locking=False) as file:
        expected = file["data"][:] / maximum.reshape(3, 1, 1)
    assert splits["test"].read(0, 40)["inputs"] == pytest.approx(expected)


def test_several_files_by_glob(tmp_path, write_events):
    for number, events in enumerate((10, 20, 30)):
        write_events(tmp_path / f"train_{number}.h5", events, seed=number)
    split = open_images(tmp_path / "train_*.h5").splits["train"]
    assert len(split) == 60
    assert len(split.read(5, 45)["inputs"]) == 40


def test_optional_members_are_read_where_all_files_have_them(tmp_path, write_events):
    one = write_events(tmp_path / "a.h5", 10, eid=np.arange(10), jz=np.full(10, 3))
    other = write_events(tmp_path / "b.h5", 10, eid=np.arange(10, 20))
    assert set(open_images(one).splits["train"].fields) > {"eid", "jz"}
    both = HepImages(
        train=[str(one), str(other)],
        val=None,
        test=None,
        channel_max=None,
        check_pixels=True,
        augment=False,
    )
    assert "jz" not in both.splits["train"].fields
    assert both.splits["train"].read(8, 12)["eid"].tolist() == [8, 9, 10, 11]


def test_half_precision_images_are_read(tmp_path, write_events):
    path = write_events(tmp_path / "a.h5", 10)
    with h5py.File(path, "a") as file:
        data = file["data"][:]
        del file["data"]
        file["data"] = data.astype("f2")
    assert open_images(path).splits["train"].read(0, 10)["inputs"].dtype == np.float32


def test_the_pixels_of_unchanged_files_are_checked_once(tmp_path, write_events, capsys):
    path = write_events(tmp_path / "a.h5", 10)
    open_images(path)
    assert "checking data" in capsys.readouterr().out
    open_images(path)
    assert capsys.readouterr().out == ""
    write_events(path, 12)
    open_images(path)
    assert "checking data" in capsys.readouterr().out


def test_no_pixel_is_read_when_nothing_asks_for_it(tmp_path, write_events, capsys):
    path = write_events(tmp_path / "a.h5", 10)
    open_images(path, channel_max=[1.0, 1.0, 1.0], check_pixels=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("member", ["data", "label", "weight", "normweight", "psr"])
def test_missing_member(tmp_path, write_events, member):
    path = write_events(tmp_path / "a.h5", 10, **{member: None})
    assert error(path).startswith(f"{path} has no member '{member}'; ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number(tmp_path, write_events, value):
    path = write_events(tmp_path / "a.h5", 40)
    with h5py.File(path, "a") as file:
        file["data"][21, 1, 3, 4] = value
    assert error(path).startswith(f"{path}, row 21: member 'data' holds NaN or Inf")


def test_a_bad_pixel_outside_the_training_split(tmp_path, write_events):
    train = write_events(tmp_path / "a.h5", 10)
    test = write_events(tmp_path / "b.h5", 10, seed=2)
    with h5py.File(test, "a") as file:
        file["data"][2, 0, 0, 0] = np.nan
    assert f"{test}, row 2" in error(train, test=str(test))


@pytest.mark.parametrize(
    ("member", "values", "rule"),
    [
        ("label", [0, 1, 2, 0, 1], "row 2: member 'label' is 2; it must be 0 or 1"),
        ("psr", [0, 0, 0, 0, -1], "row 4: member 'psr' is -1; it must be 0 or 1"),
        ("weight", [1, 1, 1, -2.0, 1], "row 3: member 'weight' is -2.0; it must be 0 or more"),
        ("weight", [1, np.nan, 1, 1, 1], "row 1: member 'weight' is nan; it must be finite"),
    ],
)
def test_values_that_cannot_be(tmp_path, write_events, member, values, rule):
    path = write_events(tmp_path / "a.h5", 5, **{member: np.asarray(values)})
    assert error(path) == f"{path}, {rule}"


def test_labels_as_text(tmp_path, write_events):
    path = write_events(tmp_path / "a.h5", 5, label=np.full(5, b"signal"))
    assert "member 'label' has shape (N) and dtype |S6; it must be one number" in error(path)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3), (1, 64, 64)])
def test_images_of_another_form(tmp_path, write_events, shape):
    path = write_events(tmp_path / "a.h5", 5, data=np.zeros((5, *shape), "f4"))
    assert f"{path}: member 'data' has shape" in error(path)
    assert "it must be (N, 3, phi, eta) of numbers" in error(path)


def test_splits_of_different_image_size(tmp_path, write_events):
    train = write_events(tmp_path / "a.h5", 5)
    val = write_events(tmp_path / "b.h5", 5, size=32)
    assert error(train, val=str(val)).startswith("dataset.val: images of shape (3, 32, 32), but")


@pytest.mark.parametrize(("label", "missing"), [(0, "signal"), (1, "background")])
def test_a_file_of_one_class(tmp_path, write_events, label, missing):
    path = write_events(tmp_path / "a.h5", 5, label=np.full(5, label))
    assert error(path).startswith(f"dataset.train: no {missing} in {path} (member 'label' is never")


def test_an_empty_split(tmp_path, write_events):
    empty = {name: np.zeros(0) for name in ("label", "weight", "normweight", "psr")}
    path = write_events(tmp_path / "a.h5", 1, data=np.zeros((0, 3, 64, 64), "f4"), **empty)
    assert error(path) == f"dataset.train: no events in {path}: give other files"


def test_an_empty_channel(tmp_path, write_events):
    path = write_events(tmp_path / "a.h5", 8)
    with h5py.File(path, "a") as file:
        file["data"][:, 2] = 0
    assert error(path).startswith("channel 2 (tracks) cannot be normalised by a maximum of 0.0")


def test_wrong_channel_maximum(tmp_path, write_events):
    path = write_events(tmp_path / "a.h5", 8)
    assert error(path, channel_max=[1, 2]) == "dataset.channel_max=[1, 2] must be 3 numbers"
    assert "by a maximum of -1" in error(path, channel_max=[1, -1, 2])


def test_augmented_images_are_turned_in_phi_and_mirrored(tmp_path, write_events):
    path = write_events(tmp_path / "a.h5", 200)
    split = open_images(path, augment=True).splits["train"]
    stored = split.read(0, 200)
    changed = split.augment(stored, np.random.default_rng(1))
    kinds = set()
    for before, after in zip(stored["inputs"], changed["inputs"], strict=True):
        found = [
            (up, left)
            for up in (1, -1)
            for left in (1, -1)
            for turn in range(64)
            if np.array_equal(np.roll(before[:, ::up, ::left], turn, axis=1), after)
        ]
        assert found
        kinds |= set(found)
    assert len(kinds) == 4
    assert changed["label"] is stored["label"]


def test_images_are_left_alone_unless_asked(tmp_path, write_events):
    split = open_images(write_events(tmp_path / "a.h5", 10)).splits["train"]
    stored = split.read(0, 10)
    assert split.augment(stored, np.random.default_rng(1)) is stored

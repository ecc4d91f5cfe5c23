import h5py
import numpy as np
import pytest
import torch

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover
from baryon_hep.dataset.hep_images import HepImages

MUST_FIT = "must be 0, or from 1e-45 to 3e+38, to fit single precision"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def open_images(train, **changes) -> HepImages:
    arguments = {"val": None, "test": None, "channel_max": None, "check_pixels": True}
    arguments |= {"check_event_ids": True, "augment": False}
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
        check_event_ids=True,
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
    assert "checking data of train: " in capsys.readouterr().out
    open_images(path)
    assert capsys.readouterr().out == ""
    write_events(path, 12)
    open_images(path)
    assert "checking data of train: " in capsys.readouterr().out


def test_no_pixel_is_read_when_nothing_asks_for_it(tmp_path, write_events, capsys):
    path = write_events(tmp_path / "a.h5", 10)
    open_images(path, channel_max=[1.0, 1.0, 1.0], check_pixels=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("member", ["data", "label", "weight"])
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
        ("weight", [1, 1e40, 1, 1, 1], f"row 1: member 'weight' is 1e+40; it {MUST_FIT}"),
        ("weight", [1, 1, 1e-50, 1, 1], f"row 2: member 'weight' is 1e-50; it {MUST_FIT}"),
        (
            "normweight",
            [1, 1, 1, 1, 9e99],
            f"row 4: member 'normweight' is 9e+99; it {MUST_FIT}",
        ),
    ],
)
def test_values_that_cannot_be(tmp_path, write_events, member, values, rule):
    path = write_events(tmp_path / "a.h5", 5, **{member: np.asarray(values)})
    assert error(path) == f"{path}, {rule}"


@pytest.mark.parametrize("member", ["weight", "normweight"])
@pytest.mark.parametrize(("label", "meaning"), [(1, "signal"), (0, "background")])
def test_a_class_without_weight(tmp_path, write_events, member, label, meaning):
    path = write_events(tmp_path / "a.h5", 8)
    with h5py.File(path, "a") as file:
        file[member][...] = np.where(file["label"][:] == label, 0, file[member][:])
    told = f"dataset.train: no {meaning} with a weight in {path} (member '{member}' is 0 of all"
    assert error(path).startswith(told)


def test_a_class_without_weight_in_the_test_files(tmp_path, write_events):
    train = write_events(tmp_path / "a.h5", 8)
    test = write_events(tmp_path / "b.h5", 8, weight=np.zeros(8))
    assert error(train, test=str(test)).startswith("dataset.test: no signal with a weight in")


def test_without_normalised_weights_they_are_computed(tmp_path, write_events):
    train = write_events(tmp_path / "a.h5", 20, normweight=None)
    test = write_events(tmp_path / "b.h5", 20, seed=2, normweight=None)
    splits = open_images(train, test=str(test)).splits
    largest = splits["train"].columns["weight"].max()
    for split in splits.values():
        rows = split.read(0, 20)
        assert rows["normweight"] == pytest.approx(rows["weight"] / largest)


def test_without_the_cuts_there_is_no_flag(tmp_path, write_events):
    split = open_images(write_events(tmp_path / "a.h5", 20, psr=None)).splits["train"]
    assert set(split.fields) == {"inputs", "label", "weight", "normweight"}


def test_loss_and_evaluator_do_without_the_cuts(tmp_path, write_events):
    """As their options come: no weights in the loss, no comparison in the answer."""
    plugins = discover()
    made = {}
    for kind, name in (("loss", "hep_cross_entropy"), ("evaluator", "hep_roc")):
        arguments = option_values("a test", kind, name, plugins)
        arguments.pop("name", None)
        made[kind] = prepare(plugins, Choice(kind, name, arguments))()
    split = open_images(write_events(tmp_path / "a.h5", 64, psr=None)).splits["train"]
    batch = {name: torch.from_numpy(np.array(rows)) for name, rows in split.read(0, 64).items()}
    batch["keys"] = torch.arange(64)
    output = torch.randn(64, 2, generator=torch.manual_seed(1))
    assert made["loss"](output, {"label": batch["label"]})["cross_entropy"] > 0
    made["evaluator"].update(output, batch)
    answer = made["evaluator"].result()
    assert 0 < answer.metrics["auc"] < 1
    assert "efficiency_ratio" not in answer.metrics
    assert any("64 of 64 events carry no cut flag" in warning for warning in answer.warnings)


@pytest.mark.parametrize("member", ["psr", "normweight"])
def test_a_flag_that_some_files_lack(tmp_path, write_events, member):
    write_events(tmp_path / "a.h5", 10)
    write_events(tmp_path / "b.h5", 10, seed=2, **{member: None})
    told = (
        f"{tmp_path}/b.h5 has no member '{member}', but {tmp_path}/a.h5 has: give files of one kind"
    )
    assert error(tmp_path / "*.h5") == told


def describe(path, **attributes):
    """Give a file attributes that say what its images show."""
    with h5py.File(path, "a") as file:
        file.attrs.update(attributes)
    return path


@pytest.mark.parametrize(
    ("name", "value", "other", "told"),
    [
        ("eta_range", [-2.5, 2.5], [-5.0, 5.0], "eta_range -5, 5, but -2.5, 2.5 in"),
        ("phi_range", [-np.pi, np.pi], [0.0, 2 * np.pi], "phi_range 0, 6.283, but"),
        ("units", ["MeV"] * 3, ["GeV"] * 3, "units GeV, GeV, GeV, but MeV, MeV, MeV in"),
        ("channels", ["a", "b", "c"], ["a", "c", "b"], "channels a, c, b, but a, b, c in"),
    ],
)
def test_images_that_show_something_else(tmp_path, write_events, name, value, other, told):
    """In another split, in a file of the same split, and in one to be predicted."""
    train = describe(write_events(tmp_path / "a.h5", 10), **{name: value})
    odd = describe(write_events(tmp_path / "b.h5", 10, seed=2), **{name: other})
    told = f"{odd}: its images have {told}"
    assert error(train, val=str(odd)).startswith(told)
    assert error(tmp_path / "*.h5").startswith(told)
    with pytest.raises(BaryonError) as raised:
        open_images(train).open_input([str(odd)])
    assert str(raised.value).startswith(told)


def test_files_that_say_nothing_of_their_images_are_taken(tmp_path, write_events):
    train = describe(write_events(tmp_path / "a.h5", 10), eta_range=[-2.5, 2.5])
    foreign = write_events(tmp_path / "b.h5", 10, seed=2)
    rounded = write_events(tmp_path / "c.h5", 10, seed=3)
    describe(rounded, eta_range=np.float32([-2.5, 2.5]))
    splits = open_images(train, val=str(foreign), test=str(rounded)).splits
    assert [len(split) for split in splits.values()] == [10, 10, 10]


def test_images_with_eta_first(tmp_path, write_events):
    axes = ["event", "channel", "eta", "phi"]
    path = describe(write_events(tmp_path / "a.h5", 10), axes=axes)
    told = f"{path}: its images have axes event, channel, eta, phi, but this layout has phi before"
    assert error(path).startswith(told)


def test_an_event_that_comes_twice(tmp_path, write_events):
    """In two files of a split, in two splits; the first pair is named."""
    ids = np.arange(10)
    train = write_events(tmp_path / "a.h5", 10, eid=ids, label=ids % 2)
    other = write_events(tmp_path / "b.h5", 10, eid=ids + 6, label=ids % 2)
    told = f"event 6 comes twice, in dataset.train ({train}, row 6) and in {{}} ({other}, row 0), "
    told += "and 3 others do: leave out"
    assert error(tmp_path / "*.h5").startswith(told.format("dataset.train"))
    assert error(train, val=str(other)).startswith(told.format("dataset.val"))
    splits = open_images(train, val=str(other), check_event_ids=False).splits
    assert len(splits["val"]) == 10


def test_events_of_different_samples_may_have_one_number(tmp_path, write_events):
    slices = np.arange(10) % 5
    same = {"eid": np.zeros(10, int), "label": np.arange(10) // 5}
    assert len(open_images(write_events(tmp_path / "a.h5", 10, jz=slices, **same)).splits) == 1
    assert "event 0 comes twice" in error(write_events(tmp_path / "b.h5", 10, **same))


def test_splits_without_numbers_are_not_compared(tmp_path, write_events):
    train = write_events(tmp_path / "a.h5", 10, eid=np.arange(10))
    assert len(open_images(train, val=str(write_events(tmp_path / "b.h5", 10))).splits) == 2


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

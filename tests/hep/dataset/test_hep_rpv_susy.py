import h5py
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_hep.dataset.hep_rpv_susy import HepRpvSusy


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path, events=12, **changes):
    random = np.random.default_rng(1)
    members = {name: random.random((events, 64, 64)) for name in ("hist", "histEM", "histtrack")}
    members |= {
        "weight": random.random(events) + 1,
        "y": np.arange(events) % 2,
        "passSR4J": np.arange(events) % 3 == 0,
        "passSR5J": np.arange(events) % 4 == 0,
        "passSR": np.arange(events) % 5 == 0,
    }
    with h5py.File(path, "w") as file:
        for name, values in (members | changes).items():
            if values is not None:
                file[f"all_events/{name}"] = values
    return path


def open_files(train, **changes) -> HepRpvSusy:
    arguments = {
        "val": None,
        "test": None,
        "channels": ["hist", "histEM", "histtrack"],
        "channel_max": None,
        "check_pixels": True,
        "augment": False,
    }
    return HepRpvSusy(train=str(train), **arguments | changes)


def test_three_members_become_the_channels(tmp_path):
    path = write(tmp_path / "train.h5")
    split = open_files(path, channel_max=[2.0, 4.0, 8.0]).splits["train"]
    rows = split.read(2, 7)
    with h5py.File(path, locking=False) as file:
        for channel, (name, scale) in enumerate((("hist", 2), ("histEM", 4), ("histtrack", 8))):
            expected = file[f"all_events/{name}"][2:7] / scale
            assert rows["inputs"][:, channel] == pytest.approx(expected)
        assert rows["label"].tolist() == file["all_events/y"][2:7].tolist()
    assert rows["inputs"].dtype == np.float32


def test_one_channel_alone(tmp_path):
    split = open_files(write(tmp_path / "a.h5"), channels=["hist"]).splits["train"]
    assert split.fields["inputs"].shape == (1, 64, 64)
    assert split.read(0, 3)["inputs"].max() <= 1


def test_each_channel_is_divided_by_its_training_maximum(tmp_path):
    split = open_files(write(tmp_path / "a.h5")).splits["train"]
    assert split.read(0, 12)["inputs"].max(axis=(0, 2, 3)).tolist() == [1, 1, 1]


def test_the_files_own_cut_flag(tmp_path):
    split = open_files(write(tmp_path / "a.h5")).splits["train"]
    assert split.read(0, 12)["psr"].tolist() == [int(n % 5 == 0) for n in range(12)]


def test_the_cut_flag_is_the_or_of_its_regions_where_it_is_missing(tmp_path):
    split = open_files(write(tmp_path / "a.h5", passSR=None)).splits["train"]
    assert split.read(0, 12)["psr"].tolist() == [int(n % 3 == 0 or n % 4 == 0) for n in range(12)]


def test_without_any_cut_flag(tmp_path):
    path = write(tmp_path / "a.h5", passSR=None, passSR4J=None)
    assert "psr" not in open_files(path).splits["train"].fields


def test_weights_are_normalised_by_their_training_maximum(tmp_path):
    train = write(tmp_path / "a.h5")
    test = write(tmp_path / "b.h5", weight=np.full(12, 5.0))
    splits = open_files(train, test=str(test)).splits
    with h5py.File(train, locking=False) as file:
        largest = file["all_events/weight"][:].max()
    assert splits["train"].read(0, 12)["normweight"].max() == pytest.approx(1)
    assert splits["test"].read(0, 12)["normweight"] == pytest.approx(5 / largest)


def test_the_files_own_normalised_weight(tmp_path):
    path = write(tmp_path / "a.h5", normalized_weight=np.linspace(0, 1, 12))
    rows = open_files(path).splits["train"].read(0, 12)
    assert rows["normweight"] == pytest.approx(np.linspace(0, 1, 12))


@pytest.mark.parametrize("member", ["hist", "weight", "y"])
def test_missing_member(tmp_path, member):
    path = write(tmp_path / "a.h5", **{member: None})
    with pytest.raises(BaryonError, match=f"has no member 'all_events/{member}'") as raised:
        open_files(path)
    assert "choose from: " in str(raised.value)


def test_channels_of_different_size(tmp_path):
    path = write(tmp_path / "a.h5", histEM=np.ones((12, 32, 32)))
    with pytest.raises(BaryonError, match="member 'all_events/histEM' has images of shape"):
        open_files(path)


def test_input_holds_the_channels_and_maybe_more(tmp_path):
    dataset = open_files(write(tmp_path / "train.h5"), channel_max=[2.0, 4.0, 8.0])
    nothing = dict.fromkeys(("weight", "y", "passSR4J", "passSR5J", "passSR"))
    bare = dataset.open_input([str(write(tmp_path / "bare.h5", **nothing))])
    assert list(bare.fields) == ["inputs"]
    told = bare.normalisation()
    assert (told.channels, told.scale) == (("hist", "histEM", "histtrack"), (2.0, 4.0, 8.0))
    raw = bare.raw(2, 7)
    with h5py.File(tmp_path / "bare.h5", locking=False) as file:
        assert raw[:, 1] == pytest.approx(file["all_events/histEM"][2:7])
    assert bare.read(2, 7)["inputs"] == pytest.approx(raw / np.reshape(told.scale, (3, 1, 1)))
    one_class = write(tmp_path / "signal.h5", y=np.ones(12, int), passSR=None)
    assert set(dataset.open_input([str(one_class)]).fields) == {"inputs", "label", "weight"}


def test_weights_that_are_all_zero(tmp_path):
    path = write(tmp_path / "a.h5", weight=np.zeros(12))
    with pytest.raises(BaryonError) as raised:
        open_files(path)
    assert str(raised.value).startswith(f"dataset.train: no signal with a weight in {path} (member")


def test_images_with_phi_first(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.attrs["axes"] = ["event", "phi", "eta"]
    with pytest.raises(BaryonError, match="this layout has eta before phi"):
        open_files(path)


def test_normalised_weights_that_some_files_lack(tmp_path):
    write(tmp_path / "a.h5", normalized_weight=np.linspace(0, 1, 12))
    write(tmp_path / "b.h5")
    with pytest.raises(
        BaryonError, match=r"b\.h5 has no member 'all_events/normalized_weight', but"
    ):
        open_files(tmp_path / "*.h5")

"""Each thing that can be wrong with data is found, and nothing in good data."""

import hashlib
import json
import re

import h5py
import numpy as np
import pytest
import torch

from baryon.cli import execute
from baryon.config.compose import composed
from baryon.data.checks.check import check
from baryon.data.checks.values import intraclass_correlation
from baryon.data.hdf5.table import Hdf5Table
from baryon.data.loading import Loading
from baryon.errors import BaryonError
from baryon.interfaces import Dataset, Field, Split
from baryon.plugins.registry import discover
from baryon.training.build import build_dataset

LOADING = Loading(
    batch_size=16, window_mib=1, prefetch=2, seed=1, threads=2, device=torch.device("cpu")
)


class StoredSplit(Split):
    """A split in a file, with all extras."""

    parallel_reads = True

    def __init__(self, path):
        self.table = Hdf5Table([path], {"inputs": "x", "label": "label", "weight": "weight"})

    @property
    def fields(self):
        shapes, dtypes = self.table.shapes, self.table.dtypes
        return {name: Field(shapes[name], dtypes[name].name) for name in self.table.members}

    def stored(self):
        return self.table.stored()

    def place(self, row):
        return self.table.place(row)

    def fingerprint(self):
        return self.table.fingerprint()

    def __len__(self):
        return len(self.table)

    def chunk_starts(self):
        return self.table.chunk_starts("inputs")

    def read(self, start, stop):
        return {name: self.table.read(name, start, stop) for name in self.fields}


class Data(Dataset):
    def __init__(self, **splits):
        self.splits = splits


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Write a file of 200 good samples, with some things changed, and open it."""
    monkeypatch.setattr("baryon.data.checks.speed.SECONDS", 0.02)

    def write(name="train", *, samples=200, layout=None, **changes):
        random = np.random.default_rng(hashlib.sha256(name.encode()).digest()[0])
        members = {
            "x": random.standard_normal((samples, 2, 16, 16), np.float32),
            "label": random.integers(0, 2, samples),
            "weight": random.random(samples, np.float32),
        }
        for member, change in changes.items():
            members[member] = change(members[member])
        settings = {"chunks": (32, 2, 16, 16), "compression": "gzip"} | (layout or {})
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            for member, values in members.items():
                file.create_dataset(member, data=values, **(settings if member == "x" else {}))
        return StoredSplit(tmp_path / f"{name}.h5")

    return write


def at(index, value):
    def change(values):
        values[index] = value
        return values

    return change


def findings(*, loading=LOADING, **splits):
    diagnosis = check(Data(**splits), loading, None)
    return {(finding.split, finding.text, finding.refused) for finding in diagnosis.findings}


def test_check_finds_nothing_in_good_data(make):
    diagnosis = check(Data(val=make("val"), train=make()), LOADING, None)
    assert not diagnosis.findings
    assert not diagnosis.refused
    assert diagnosis.summary == "Data OK: 0 warnings in 2 splits (train 200, val 200 samples)"
    assert set(diagnosis.tables) == {"reading", "layout", "values", "classes"}
    assert set(diagnosis.figures) == {"speed", "values", "along", "mean_image"}
    values = diagnosis.tables["values"]
    assert values.columns == ("field", "train", "val")
    (row,) = [row for row in values.rows if row[0] == "inputs[1]"]
    mean, deviation, low, high = map(float, re.findall(r"-?[\d.]+(?:e-?\d+)?", row[1]))
    assert mean == pytest.approx(0, abs=0.02)
    assert deviation == pytest.approx(1, abs=0.02)
    assert low < -3 < 3 < high


def test_splits_are_the_columns_of_all_tables(make):
    diagnosis = check(Data(val=make("val", label=at(slice(200), 1)), train=make()), LOADING, None)
    for table in diagnosis.tables.values():
        assert list(table.columns[-2:]) == ["train", "val"]
    zero, one = diagnosis.tables["classes"].rows
    assert (zero[:2], one[:2]) == (["label", 0], ["label", 1])
    assert (zero[3], one[3]) == ("0 (0.00%)", "200 (100.00%)")
    assert len(diagnosis.tables["layout"].rows) == 3  # both splits are stored alike
    assert diagnosis.tables["layout"].rows[0][-1].startswith("1 file, 1.")


def test_identifiers_have_no_histogram(make):
    def number(values):
        return np.random.default_rng(1).permutation(len(values)) + 8754866500000000001

    diagnosis = check(Data(train=make(label=number)), LOADING, None)
    for name in ("values", "along"):
        titles = [axes.get_title() for axes in diagnosis.figures[name].axes if axes.has_data()]
        assert titles == ["mean of inputs", "weight"]
    values = {row[0]: row[1] for row in diagnosis.tables["values"].rows}
    assert values["label"] == "all different, from 8754866500000000001 to 8754866500000000200"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_check_refuses_nan_and_infinity(make, value, tmp_path):
    bad = make(x=at((70, 1, 3, 3), value))
    assert findings(train=bad) == {
        (
            "train",
            "inputs is NaN or infinite in 1 samples, first in "
            f"{tmp_path / 'train.h5'}, row 70: repair or leave them out",
            True,
        )
    }


def only(entries):
    ((split, text, refused),) = entries
    return split, text, refused


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": at(np.s_[:, 1], 3)}, "channel 1 of inputs is 3 everywhere: it teaches nothing"),
        ({"label": at(0, 7)}, "label is 7 in only 1 of 200 samples"),
        ({"weight": at(slice(3), -1)}, "weight is negative in 3 of 200 samples"),
        ({"weight": at(0, 1e6)}, "weight makes the 200 samples worth 1 of equal weight"),
        ({"x": lambda x: at(slice(5, 8), x[0])(x)}, "3 samples have the inputs of another one"),
    ],
    ids=["constant channel", "rare class", "negative weight", "one weight", "duplicates"],
)
def test_check_warns_of_values(make, change, text):
    split, text_of_finding, refused = only(findings(train=make(**change)))
    assert split == "train"
    assert text_of_finding.startswith(text)
    assert not refused


def test_check_warns_of_samples_in_two_splits(make):
    train = make()
    val = make("val", x=at(slice(10), train.read(20, 30)["inputs"]))
    assert only(findings(train=train, val=val)) == (
        "val",
        "10 samples are in train too, such as 0 here and 20 there: the splits are not independent",
        False,
    )


def test_check_warns_of_class_unknown_to_training(make):
    val = make("val", label=at(slice(40), 5))
    assert only(findings(train=make(), val=val))[1] == (
        "label is [5] in some samples, but never in train"
    )


def test_check_warns_of_poor_shuffling(make):
    few = Loading(
        batch_size=16, window_mib=0.07, prefetch=2, seed=1, threads=1, device=torch.device("cpu")
    )
    sorted_file = make(label=np.sort)
    text = only(findings(train=sorted_file, loading=few))[1]
    assert text.startswith("samples of a chunk are alike in label (correlation 0.")
    assert "1 chunks are mixed" in text
    assert not findings(train=make("mixed"), loading=few)  # the same window does for a mixed file
    assert not findings(train=sorted_file)  # and a larger window for this one


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ({"chunks": (32, 1, 16, 16)}, "in pieces: `baryon data repack` makes whole ones"),
        ({"chunks": (8, 2, 16, 16)}, "has chunks of 16 KiB, so small"),
        ({"scaleoffset": 3}, "is read by one thread at a time"),
    ],
)
def test_check_warns_of_slow_layouts(make, layout, text):
    assert any(text in warning for _, warning, _ in findings(train=make(layout=layout)))


def test_check_warns_of_chunks_larger_than_window(make):
    tiny = Loading(
        batch_size=16, window_mib=0.05, prefetch=2, seed=1, threads=1, device=torch.device("cpu")
    )
    texts = [text for _, text, _ in findings(train=make(), loading=tiny)]
    assert any("more than data.window_mib=0.05: nothing but one chunk is mixed" in t for t in texts)


def test_check_compares_checksums(make, tmp_path):
    train = make()
    digest = hashlib.sha256((tmp_path / "train.h5").read_bytes()).hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  train.h5\n")
    diagnosis = check(Data(train=train), LOADING, None)
    assert not diagnosis.findings
    assert diagnosis.checksums == {str(tmp_path / "train.h5"): digest}
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64} *train.h5\n")
    _, text, refused = only(findings(train=train))
    assert refused
    assert text.endswith("SHA256SUMS says 000000000000...: fetch it again")


def test_check_refuses_empty_split(make):
    assert only(findings(train=make(), val=make("val", samples=0, layout={"chunks": None,
        "compression": None}))) == ("val", "has no samples: give other files", True)  # fmt: skip


def test_check_samples_a_subset(make):
    diagnosis = check(Data(train=make()), LOADING, 64)
    counts = [int(row[2].split()[0]) for row in diagnosis.tables["classes"].rows]
    assert 32 <= sum(counts) <= 96


def test_check_accepts_minimal_split(make):
    class Plain(Split):
        fields = {"inputs": Field((3,), "float32")}  # noqa: RUF012

        def __len__(self):
            return 50

        def chunk_starts(self):
            return range(0, 50, 10)

        def read(self, start, stop):
            return {
                "inputs": np.arange(start, stop, dtype="f4")[:, None] + np.arange(3, dtype="f4")
            }

        def fingerprint(self):
            return "plain"

    make()  # makes the measurements short
    diagnosis = check(Data(train=Plain()), LOADING, None)
    assert not diagnosis.refused
    assert set(diagnosis.tables) == {"reading", "values"}
    assert not diagnosis.checksums


def test_intraclass_correlation():
    random = np.random.default_rng(1)
    groups = np.repeat(random.standard_normal(400), 10)
    noise = random.standard_normal(4000)
    sizes = [10] * 400
    assert intraclass_correlation(groups, sizes) == pytest.approx(1)
    assert intraclass_correlation(noise, sizes) == pytest.approx(0, abs=0.02)
    assert intraclass_correlation(groups + noise, sizes) == pytest.approx(0.5, abs=0.06)
    assert intraclass_correlation(np.ones(4000), sizes) == 0


def test_check_command_writes_a_page_and_tells_by_its_exit_code(
    make, write_events, tmp_path, monkeypatch, capsys
):
    make()  # makes the measurements short
    monkeypatch.chdir(tmp_path)
    images = np.zeros((32, 3, 64, 64), "f4")
    images[:, :, 5, 5] = 1
    images[3, 0, 0, 0], images[9, 1] = np.nan, np.inf
    write_events(tmp_path / "bad.h5", 32, data=images)
    assert execute(["data", "check", "dataset=hep_images", "dataset.train=bad.h5", "out=bad"]) == 1
    out = capsys.readouterr().out
    assert "refused: train: inputs is NaN or infinite in 2 samples, first in bad.h5, row 3" in (
        " ".join(out.split())
    )
    assert "Data refused: 1 fault, " in out
    assert "report: bad/report.html" in out
    page = (tmp_path / "bad" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"""(src|href)=["']?http""", page)
    assert json.loads((tmp_path / "bad" / "check.json").read_text())["refused"]
    settings = ["dataset=hep_images", "model=hep_cnn", "dataset.train=bad.h5"]
    config = composed(settings, discover())
    with pytest.raises(BaryonError, match=r"bad\.h5, row 3: member 'data' holds NaN or Inf"):
        build_dataset(config, discover())  # after a check a training is as strict as before
    write_events(tmp_path / "good.h5", 32)
    assert (
        execute(["data", "check", "dataset=hep_images", "dataset.train=good.h5", "out=good"]) == 0
    )

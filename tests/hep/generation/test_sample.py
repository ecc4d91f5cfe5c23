"""The shipped sample: complete, small, and made by what it says."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import baryon_hep

SAMPLE = Path(baryon_hep.__file__).parent / "sample"
SPLITS = ("train", "val", "test")
LIMIT = 8_000_000


@pytest.fixture(scope="module")
def record():
    return json.loads((SAMPLE / "generation.json").read_text())


@pytest.fixture(scope="module")
def columns():
    """Every member but the images, of each split."""
    read = {}
    for split in SPLITS:
        with h5py.File(SAMPLE / f"hep_64_{split}.h5") as h5:
            read[split] = {name: h5[name][:] for name in h5 if name != "data"}
    return read


def everywhere(columns, name) -> np.ndarray:
    return np.concatenate([columns[split][name] for split in SPLITS])


def test_size_limit():
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) <= LIMIT


@pytest.mark.parametrize("split", SPLITS)
def test_schema(split):
    with h5py.File(SAMPLE / f"hep_64_{split}.h5") as h5:
        events = len(h5["label"])
        assert h5["data"].shape == (events, 3, 64, 64)
        assert h5["data"].dtype == np.float32
        assert h5["data"].chunks == (16, 3, 64, 64)
        kinds = {name: h5[name].dtype.str for name in h5 if name != "data"}
        assert {len(h5[name]) for name in h5} == {events}
        floats, integers = ("weight", "normweight", "mg", "mn"), ("label", "psr", "jz")
        assert kinds == {
            **dict.fromkeys(floats, "<f4"),
            **dict.fromkeys(integers, "<i4"),
            "eid": "<i8",
        }
        data = h5["data"][:]
        assert np.isfinite(data).all()
        assert (data >= 0).all()
        assert (data[:, 0] >= data[:, 1]).all()


def test_counts_and_shares_are_those_of_the_settings(columns, record):
    settings = record["settings"]
    total = len(everywhere(columns, "eid"))
    assert total == settings["events"] == len(set(everywhere(columns, "eid").tolist()))
    for split in SPLITS:
        assert len(columns[split]["eid"]) == pytest.approx(settings["splits"][split] * total, abs=6)
        assert columns[split]["label"].mean() == pytest.approx(0.5, abs=0.01)


def test_weights_are_those_of_the_record(columns, record):
    for process in record["processes"]:
        of_process = everywhere(columns, "jz") == process["jz"]
        weights = everywhere(columns, "weight")[of_process]
        assert len(weights) == process["passed"]
        expected = process["cross_section_pb"] * record["luminosity_per_pb"] / process["tried"]
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert columns["train"]["normweight"].max() == 1


def test_cuts_find_signal_and_let_some_background_through(columns):
    for split in ("train", "test"):
        signal = columns[split]["label"] == 1
        assert 0.3 < columns[split]["psr"][signal].mean() < 0.6
        assert 0 < columns[split]["psr"][~signal].mean() < 0.1


def test_masses_and_slices_tell_signal_from_background(columns, record):
    label, jz = everywhere(columns, "label"), everywhere(columns, "jz")
    assert (jz[label == 1] == -1).all()
    slices = len(record["settings"]["pt_hat_slices"]) - 1
    assert set(jz[label == 0].tolist()) == set(range(slices))
    assert set(everywhere(columns, "mg")[label == 1].tolist()) == {1400}
    assert set(everywhere(columns, "mn")[label == 0].tolist()) == {0}


def test_classes_are_mixed_through_the_files(columns):
    """A run of 64 events of one class has a chance of 1e-19."""
    label = columns["train"]["label"]
    means = np.convolve(label, np.ones(64) / 64, "valid")
    assert 0.1 < means.min() < means.max() < 0.9


def test_files_carry_the_record_and_name_no_place(record):
    for split in SPLITS:
        with h5py.File(SAMPLE / f"hep_64_{split}.h5") as h5:
            for name, value in record.items():
                stored = h5.attrs[name]
                assert (stored if isinstance(value, str) else json.loads(stored)) == value
    text = (SAMPLE / "generation.json").read_text() + (SAMPLE / "README.md").read_text()
    assert not re.search(r"(^|[\s\"'=])/\w", text)


def test_readme_tells_the_command_of_the_record(record):
    readme = (SAMPLE / "README.md").read_text()
    settings = record["settings"]
    assert f"generate.events={settings['events']}" in readme
    assert f"generate.seed={settings['seed']}" in readme
    for name, number in record["versions"].items():
        if name in ("pythia8mc", "fastjet"):
            assert f"{name} {number}" in readme

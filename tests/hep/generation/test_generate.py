"""The whole command on a small data set: what it writes, goes on with and refuses."""

import errno
import json
import signal
import subprocess
import sys
import time
from dataclasses import fields
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import h5py
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_hep.generation.detector import Towers, Tracks
from baryon_hep.generation.folder import is_finished, open_folder, remove_parts, writing
from baryon_hep.generation.generate import generate
from baryon_hep.generation.hits import Hits
from baryon_hep.generation.parts import Tally, parts, read, read_tally
from baryon_hep.generation.parts import write as write_part
from baryon_hep.generation.processes import processes
from baryon_hep.generation.provenance import LUMINOSITY, total_yield
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.splits import split_edges

SIMULATION = all(find_spec(name) for name in ("pythia8mc", "fastjet", "awkward", "vector"))
SETTINGS = [field.name for field in fields(Settings)]
needs_simulation = pytest.mark.skipif(not SIMULATION, reason="the extra hep-sim is not installed")
MEMBERS = {
    "data": "<f4",
    "label": "<i4",
    "weight": "<f4",
    "normweight": "<f4",
    "psr": "<i4",
    "mg": "<f4",
    "mn": "<f4",
    "jz": "<i4",
    "eid": "<i8",
}


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory) -> Path:
    """The small data set."""
    if not SIMULATION:
        pytest.skip("the extra hep-sim is not installed")
    folder = tmp_path_factory.mktemp("generated") / "data"
    generate(**small | {"out": str(folder)})
    return folder


def contents(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_files_and_members(finished):
    assert sorted(contents(finished)) == [
        "generation.json",
        *(f"hep_{size}_{split}.h5" for size in (32, 64) for split in ("test", "train")),
    ]
    for size in (32, 64):
        with h5py.File(finished / f"hep_{size}_train.h5") as h5:
            assert {name: dataset.dtype.str for name, dataset in h5.items()} == MEMBERS
            assert h5["data"].shape == (8, 3, size, size)
            assert h5["data"].compression == "gzip"
            assert not h5["data"].shuffle
            assert h5["label"][:].sum() == 4
            assert json.loads(h5.attrs["settings"])["seed"] == 1
            assert h5.attrs["units"].tolist() == ["MeV", "MeV", "count"]


def test_every_event_is_in_one_place(finished):
    for size in (32, 64):
        eid = []
        for split in ("train", "test"):
            with h5py.File(finished / f"hep_{size}_{split}.h5") as h5:
                eid += h5["eid"][:].tolist()
        first = json.loads((finished / "generation.json").read_text())["data_set"] * 10**11
        assert sorted(eid) == [
            first + k * 10**9 + n for k, c in ((0, 8), (1, 4), (2, 4)) for n in range(c)
        ]


def members(folder, name) -> list[np.ndarray]:
    """A member of all events of 64 pixels, event by event."""
    rows = []
    for path in sorted(folder.glob("hep_64_*.h5")):
        with h5py.File(path) as h5:
            rows += list(h5[name][:])
    return rows


@pytest.mark.parametrize(
    "changes",
    [
        {"image_sizes": [64]},
        pytest.param({"eta_max": 2.5, "events": 8}, marks=pytest.mark.extended),
    ],
)
def test_other_settings_make_other_events_with_the_same_seed(finished, small, tmp_path, changes):
    """So that the files of both may be joined: no collision, and no event id, is in both."""
    changes |= {"splits": {"train": 1.0}, "out": str(tmp_path / "data")}
    generate(**small | changes)
    of_first, of_second = members(finished, "data"), members(tmp_path / "data", "data")
    assert len(of_second) == changes.get("events", 16)
    assert not {image.tobytes() for image in of_first} & {image.tobytes() for image in of_second}
    assert not set(members(finished, "eid")) & set(members(tmp_path / "data", "eid"))


def test_error_of_the_cross_section_is_recorded(finished):
    record = json.loads((finished / "generation.json").read_text())
    with h5py.File(finished / "hep_64_train.h5") as h5:
        assert json.loads(h5.attrs["processes"]) == record["processes"]
    for process in record["processes"]:
        relative = process["cross_section_error_pb"] / process["cross_section_pb"]
        assert 0.001 < relative < 0.3


def test_errors_of_parts_are_combined(small, tmp_path):
    """Two estimates, 4 pb from 300 points and 8 pb from 100: 5 pb, error by their shares."""
    keys = {key: value for key, value in small.items() if key not in ("out", "workers")}
    settings = Settings(**keys | {"pt_hat_slices": tuple(keys["pt_hat_slices"])})
    signal = processes(settings)[0]
    both = parts(processes(settings), 4, tmp_path)[:2]
    nothing = Hits.of(
        Towers(np.zeros(0, int), *[np.zeros(0)] * 4), Tracks(np.zeros(0, int), *[np.zeros(0)] * 2)
    )
    for part, values in zip(both, ((4.0, 0.4, 300), (8.0, 0.8, 100)), strict=True):
        write_part(part.file, nothing, np.zeros(0, bool), Tally(1, *values, 10, 4))
    made = total_yield(signal, both)
    assert made.cross_section_pb == pytest.approx(5.0)
    assert made.cross_section_error_pb == pytest.approx(np.hypot(0.75 * 0.4, 0.25 * 0.8))


def test_sizes_show_the_same_events_in_the_same_order(finished):
    with (
        h5py.File(finished / "hep_32_train.h5") as small,
        h5py.File(finished / "hep_64_train.h5") as large,
    ):
        assert small["eid"][:].tolist() == large["eid"][:].tolist()
        np.testing.assert_allclose(
            small["data"][:].sum((2, 3)), large["data"][:].sum((2, 3)), rtol=1e-3
        )


def test_weights_are_cross_section_times_luminosity_over_tried(finished):
    record = json.loads((finished / "generation.json").read_text())
    rows = []
    for split in ("train", "test"):
        with h5py.File(finished / f"hep_64_{split}.h5") as h5:
            rows.append([h5[name][:] for name in ("jz", "label", "weight", "normweight")])
    jz, label, weight, normweight = map(np.concatenate, zip(*rows, strict=True))
    for process in record["processes"]:
        mine = jz == process["jz"]
        assert (label[mine] == process["label"]).all()
        expected = process["cross_section_pb"] * LUMINOSITY * process["passed"] / process["tried"]
        assert weight[mine].sum() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(normweight, weight / weight.max(), rtol=1e-6)


def test_images_hold_a_preselected_event(finished):
    """At least 440 + 2 x 200 GeV of transverse momentum, so more energy than that."""
    with h5py.File(finished / "hep_64_train.h5") as h5:
        data = h5["data"][:]
    assert (data[:, 0].sum((1, 2)) > 600_000).all()
    assert (data[:, 1] <= data[:, 0]).all()
    assert (data[:, 2] == np.rint(data[:, 2])).all()


def test_record_names_no_place_on_this_machine(finished):
    record = (finished / "generation.json").read_text()
    assert str(finished) not in record
    assert str(Path.home()) not in record
    assert json.loads(record)["command"].startswith("baryon data generate dataset=hep_images")


def test_two_workers_make_the_same_files(finished, small, tmp_path):
    generate(**small | {"out": str(tmp_path / "data"), "workers": 2})
    assert contents(tmp_path / "data") == contents(finished)


def test_finished_data_is_left_alone(finished, small, capsys):
    before = contents(finished)
    generate(**small | {"out": str(finished)})
    assert "nothing to do" in capsys.readouterr().out
    assert contents(finished) == before


def test_finished_data_of_other_settings_is_refused(finished, small):
    before = contents(finished)
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(finished), "seed": 2})
    assert "seed 1 not 2" in one_line(error)
    assert contents(finished) == before


def start(keys) -> subprocess.Popen:
    """The command in a process of its own, which hears Ctrl-C even where the tests do not."""
    script = "import json, signal, sys; from baryon_hep.generation.generate import generate\n"
    script += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "if __name__ == '__main__': generate(**json.loads(sys.argv[1]))"
    return subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(keys)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_part(folder, process, parts=1) -> None:
    while len(list((folder / "parts").glob("*.h5"))) < parts:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_run_goes_on_to_the_same_files(finished, small, tmp_path, capsys):
    folder = tmp_path / "data"
    process = start(small | {"out": str(folder)})
    wait_for_part(folder, process)
    process.kill()
    process.communicate()
    assert not list(folder.glob("hep_*.h5"))
    generate(**small | {"out": str(folder)})
    assert "of 4 parts are there already" in capsys.readouterr().out
    assert contents(folder) == contents(finished)


def test_interrupted_run_says_how_to_go_on(small, tmp_path):
    if not SIMULATION:
        pytest.skip("the extra hep-sim is not installed")
    folder = tmp_path / "data"
    process = start(small | {"out": str(folder), "events": 4000, "part_events": 1000})
    while not (folder / "parts").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert "interrupted; finished parts are kept" in errors.splitlines()[-1]
    assert (folder / "parts" / "settings.json").exists()


@needs_simulation
def test_parts_of_other_settings_are_refused(small, tmp_path):
    process = start(small | {"out": str(tmp_path)})
    while not (tmp_path / "parts/settings.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(tmp_path), "gluino_mass": 1600.0})
    assert "gluino_mass 1400.0 not 1600.0" in one_line(error)


@needs_simulation
def test_files_of_other_origin_are_not_overwritten(small, tmp_path):
    (tmp_path / "hep_64_train.h5").write_text("precious")
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(tmp_path)})
    assert "hep_64_train.h5" in one_line(error)
    assert (tmp_path / "hep_64_train.h5").read_text() == "precious"


@needs_simulation
def test_folder_that_cannot_be_made_is_one_line(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(tmp_path / "file" / "data")})
    assert "cannot write" in one_line(error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": "rpv7"}, "generate.signal: no 'rpv7'; did you mean 'rpv"),
        ({"neutralino_mass": 1500.0}, "generate.neutralino_mass: 1500 GeV"),
        ({"gluino_mass": 7000.0}, "generate.gluino_mass"),
        ({"pt_hat_slices": [400, 300]}, "generate.pt_hat_slices: [400, 300]"),
        ({"pt_hat_slices": [400]}, "generate.pt_hat_slices"),
        ({"pt_hat_slices": [400, 7000]}, "generate.pt_hat_slices"),
        ({"pt_hat_slices": [100, 250, 400]}, "hardly an event of 100 to 250 GeV"),
        ({"splits": {"train": 0.5, "test": 0.6}}, "add up to 1.1, not to 1"),
        ({"splits": {"test": 1.0}}, "generate.splits"),
        ({"splits": {"train": 1.5, "test": -0.5}}, "generate.splits"),
        ({"events": 0}, "generate.events"),
        ({"part_events": 0}, "generate.part_events"),
        ({"seed": -1}, "generate.seed"),
        ({"signal_fraction": 1.2}, "generate.signal_fraction"),
        ({"image_sizes": []}, "generate.image_sizes"),
        ({"image_sizes": [64, 64]}, "generate.image_sizes"),
        ({"eta_max": 0.0}, "generate.eta_max"),
        ({"eta_max": float("nan")}, "generate.eta_max"),
        ({"eta_max": float("inf")}, "generate.eta_max"),
        ({"pt_hat_slices": [400, float("nan")]}, "generate.pt_hat_slices"),
        ({"splits": {"train": float("nan")}}, "generate.splits"),
        ({"splits": {}}, "generate.splits"),
        ({"events": 10**9 + 1}, "generate.events: 1000000001 is more than 1,000,000,000"),
        ({"pt_hat_slices": list(range(300, 400))}, "99 slices are more than 98"),
        ({"energy_significance": -1.0}, "generate.energy_significance: -1"),
        ({"energy_significance": float("nan")}, "generate.energy_significance: nan"),
        ({"workers": -1}, "generate.workers"),
    ],
)
def test_settings_that_make_no_sense_are_named(small, tmp_path, changes, message):
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(tmp_path / "data")} | changes)
    assert message in one_line(error)
    assert not (tmp_path / "data").exists()


def test_missing_extra_is_named(small, tmp_path, monkeypatch):
    from baryon_hep.generation import versions

    monkeypatch.setattr(versions, "find_spec", lambda name: None if name == "fastjet" else name)
    with pytest.raises(BaryonError) as error:
        generate(**small | {"out": str(tmp_path)})
    assert "fastjet: pip install 'baryon[hep-sim]'" in one_line(error)


@pytest.mark.parametrize(
    "told",
    [
        OSError(errno.ENOSPC, "by the disk"),
        RuntimeError("Can't close dataset (file write failed, errno = 28, by HDF5\nin lines)"),
    ],
)
def test_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, told):
    def fill(file):
        with writing(file) as temporary:
            temporary.write_text("half")
            raise told

    with pytest.raises(BaryonError) as error:
        fill(tmp_path / "file")
    assert "No space left on device" in one_line(error)
    assert not list(tmp_path.iterdir())


def test_leftovers_of_a_killed_run_are_swept_up_and_nothing_else(tmp_path):
    (tmp_path / ".file.0123abcd").write_text("half")
    (tmp_path / ".file.swp").write_text("an editor's")
    with writing(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".file.swp", "file"]


def test_what_the_user_keeps_in_the_folder_of_the_parts_stays(small, tmp_path):
    settings = Settings(**{key: value for key, value in small.items() if key in SETTINGS})
    open_folder(settings, tmp_path)
    (tmp_path / "parts" / "thesis.tex").write_text("precious")
    (tmp_path / "parts" / "rpv10-00000.h5").write_text("ours")
    remove_parts(tmp_path, [tmp_path / "parts" / "rpv10-00000.h5"])
    assert [file.name for file in (tmp_path / "parts").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"settings": 3}', "[" * 10_000])
def test_damaged_records_are_one_line(small, tmp_path, text):
    settings = Settings(**{key: value for key, value in small.items() if key in SETTINGS})
    (tmp_path / "generation.json").write_text(text)
    with pytest.raises(BaryonError) as error:
        is_finished(settings, tmp_path)
    assert "generation.json" in one_line(error)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "settings.json").write_text(text)
    with pytest.raises(BaryonError) as error:
        open_folder(settings, tmp_path)
    assert "settings.json" in one_line(error)


def test_a_damaged_part_is_one_line(tmp_path):
    part = tmp_path / "rpv10-00000.h5"
    for content in (b"", b"\x89HDF\r\n\x1a\n" + b"\xff" * 200):
        part.write_bytes(content)
        for reading in (read, read_tally):
            with pytest.raises(BaryonError) as error:
                reading(part)
            assert "rpv10-00000.h5 is damaged" in one_line(error)
    with h5py.File(part, "w") as file:
        file["psr"] = [True]
    for reading in (read, read_tally):
        with pytest.raises(BaryonError, match="is damaged"):
            reading(part)


def test_option_has_a_default_for_every_key(defaults):
    assert list(defaults) == list(signature(generate).parameters)


def test_importing_the_command_loads_no_simulation():
    code = "import sys, baryon_hep, baryon_hep.generation.generate as g; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"pythia8mc", "fastjet", "awkward", "vector", "torch"} & set(loaded.stdout.split())


@pytest.mark.parametrize(
    ("events", "shares", "edges"),
    [
        (100, (0.75, 0.10, 0.15), [0, 75, 85, 100]),
        (3, (0.5, 0.1, 0.4), [0, 2, 2, 3]),
        (0, (1.0,), [0, 0]),
    ],
)
def test_split_edges(events, shares, edges):
    assert split_edges(events, shares) == edges

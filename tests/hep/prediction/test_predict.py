"""`baryon predict` on collision events: scores of files that have no labels."""

import csv
import json
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest
import torch
import yaml

from baryon.cli import execute
from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_comm.serial import Serial
from baryon_hep.dataset.hep_images import HepImages
from baryon_hep.evaluator.hep_roc import HepRoc
from baryon_hep.model.hep_cnn import hep_cnn


@pytest.fixture
def expected(run, images):
    """The scores (N,) by other means: the network's logits of images over the training maxima."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    with h5py.File(config["dataset"]["train"]) as file:
        scale = file["data"][:].max(axis=(0, 2, 3)).reshape(3, 1, 1)
    arguments = {
        key: config["model"][key]
        for key in ("filters", "dropout", "leakiness", "padding", "kernels")
    }
    model = hep_cnn(**arguments, fields={"inputs": Field((3, 64, 64), "float32")}).eval()
    model.load_state_dict(torch.load(run / "checkpoints" / "best.pt", weights_only=True)["model"])
    with torch.inference_mode():
        logits = model(torch.from_numpy(images / scale)).double().numpy()
    return logits[:, 1] - logits[:, 0]


def test_every_event_has_its_score_file_row_and_number(predicted, unlabelled, expected):
    with h5py.File(predicted / "scores.h5") as file:
        table = {name: member[:] for name, member in file.items()}
    assert [name.decode() for name in table["files"]] == [str(path) for path in unlabelled]
    assert table["file"].tolist() == [0] * 70 + [1] * 33
    assert table["row"].tolist() == [*range(70), *range(33)]
    assert table["eid"].tolist() == [*range(70_000, 70_070), *range(33_000, 33_033)]
    np.testing.assert_allclose(table["score"], expected, atol=1e-5)
    np.testing.assert_allclose(table["probability"], 1 / (1 + np.exp(-expected)), atol=1e-6)
    assert np.ptp(expected) > 1e-3  # events differ in their scores
    with (predicted / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["file", "row", "score", "probability", "eid"]
    assert [float(row["score"]) for row in rows] == table["score"].tolist()
    assert rows[70]["file"] == str(unlabelled[1])
    assert (predicted / "scores.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((predicted / "prediction.json").read_text())
    assert record["input"] == [str(path) for path in unlabelled]
    assert (record["samples"], record["weights"], record["step"]) == (103, "best.pt", 2)


def test_a_labelled_file_is_scored_too_and_what_is_kept_is_chosen(
    here, run, write_events, tmp_path
):
    path = write_events(tmp_path / "labelled.h5", 40, seed=5)
    options = ("predict.formats=[csv]", "predict.keep=[label,weight]", "predict.histogram=false")
    assert execute(["predict", f"run={run}", f"input={path}", "out=kept", *options]) == 0
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == [
        "prediction.json",
        "scores.csv",
    ]
    with (tmp_path / "kept" / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with h5py.File(path) as file:
        assert [int(row["label"]) for row in rows] == file["label"][:].tolist()


@pytest.mark.mpi
@pytest.mark.slow
def test_several_workers_write_what_one_does(here, baryon, run, unlabelled):
    files = ",".join(map(str, unlabelled))
    arguments = [f"run={run}", f"input={files}", "train.batch_size=9"]  # divides nothing
    execute(["predict", *arguments, "out=one"])
    done = baryon("launch", "ranks=2", "predict", *arguments, "out=two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("103 events scored") == 1
    with h5py.File(here / "one/scores.h5") as one, h5py.File(here / "two/scores.h5") as two:
        for name in ("file", "row", "eid"):
            assert np.array_equal(one[name][:], two[name][:])
        np.testing.assert_allclose(one["score"][:], two["score"][:], atol=1e-5)


def test_by_default_it_lies_in_the_run_and_nothing_is_written_over(here, run, unlabelled):
    (here / "there").mkdir()
    with pytest.raises(BaryonError, match=r"^there exists already: give another with out=<name>$"):
        execute(["predict", f"run={run}", f"input={unlabelled[1]}", "out=there"])
    assert execute(["predict", f"run={run}", f"input={unlabelled[1]}", "weights=last"]) == 0
    (folder,) = (run / "predictions").iterdir()
    assert json.loads((folder / "prediction.json").read_text())["weights"] == "last.pt"


def test_an_image_with_a_nan_is_named_and_leaves_nothing(here, run, images, write_events, tmp_path):
    broken = images[:20].copy()
    broken[17, 1, 3, 3] = np.nan
    nothing = dict.fromkeys(("label", "weight", "normweight", "psr"))
    path = write_events(tmp_path / "broken.h5", 20, **nothing, data=broken)
    before = set(tmp_path.iterdir())
    with pytest.raises(BaryonError) as error:
        execute(["predict", f"run={run}", f"input={path}", "out=new"])
    assert str(error.value) == (
        f"{path}, row 17: the score is nan: is there a NaN or Inf in the image?"
    )
    assert set(tmp_path.iterdir()) == before


@pytest.mark.mpi
@pytest.mark.slow
@pytest.mark.extended
def test_what_another_worker_finds_wrong_leaves_nothing_either(
    here, baryon, run, images, write_events
):
    broken = images[:20].copy()
    broken[17, 1, 3, 3] = np.nan
    nothing = dict.fromkeys(("label", "weight", "normweight", "psr"))
    write_events(here / "broken.h5", 20, **nothing, data=broken)
    arguments = (f"run={run}", "input=broken.h5", "out=new", "train.batch_size=9")
    done = baryon("launch", "ranks=2", "predict", *arguments)
    assert done.returncode == 1
    assert done.stderr.count("row 17: the score is nan") == 1, done.stderr
    assert not list(here.glob(".new.*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["input=none.h5"], "input=none.h5 matches no file (looked from {folder})"),
        (["input=a.h5,,b.h5"], "input=a.h5,,b.h5 must be files with commas between them"),
        (
            ["input=small.h5"],
            "small.h5: images of shape (3, 32, 32), but the network was trained on",
        ),
        (["input=empty.h5"], "input=empty.h5 holds no samples: give other files"),
        (
            ["input={good}", "weights=worst"],
            "weights=worst is not known; choose from: best, ema, last",
        ),
        (
            ["input={good}", "predict.format=csv"],
            "predictor of evaluator 'hep_roc' (plugin 'hep'): predict has no key 'format'; did you "
            "mean 'formats'? choose from: formats, histogram, keep",
        ),
        (
            ["input={good}", "predict.formats=[xls]"],
            "predictor of evaluator 'hep_roc' (plugin 'hep'): formats=['xls'] is of the wrong type",
        ),
        ([], "give input=<files>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_one_line(here, run, unlabelled, write_events, tmp_path, arguments, says):
    nothing = dict.fromkeys(("label", "weight", "normweight", "psr"))
    write_events(tmp_path / "small.h5", 4, size=32, **nothing)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_dataset("data", (0, 3, 64, 64), "f4")
    given = [argument.format(good=unlabelled[0]) for argument in arguments]
    with pytest.raises(BaryonError) as error:
        execute(["predict", f"run={run}", "out=new", *given])
    assert str(error.value).startswith(says.format(folder=tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_an_evaluator_without_a_predictor_is_said_in_one_line(here, run, unlabelled, monkeypatch):
    monkeypatch.delattr(HepRoc, "predictor")
    with pytest.raises(BaryonError) as error:
        execute(["predict", f"run={run}", f"input={unlabelled[0]}", "out=new"])
    assert str(error.value).startswith("evaluator 'hep_roc' (plugin 'hep') names no predictor")
    assert "choose from: climate_boxes" in str(error.value)


def test_a_dataset_that_opens_no_input_opens_its_test_split(
    here, run, write_events, unlabelled, monkeypatch
):
    monkeypatch.delattr(HepImages, "open_input")
    labelled = write_events(here / "labelled.h5", 20, seed=6)
    assert execute(["predict", f"run={run}", f"input={labelled}", "out=new"]) == 0
    with h5py.File(here / "new" / "scores.h5") as file:
        assert len(file["score"]) == 20
    with pytest.raises(BaryonError, match=r"70\.h5 has no member 'label'"):
        execute(["predict", f"run={run}", f"input={unlabelled[0]}", "out=other"])


def test_of_an_old_run_whose_loss_and_evaluator_took_other_options(here, run, unlabelled):
    """They are not needed; their names are, for the evaluator names the predictor."""
    old = shutil.copytree(run, here / "old", symlinks=True)
    config = yaml.safe_load((old / "config.yaml").read_text())
    for kind in ("loss", "evaluator"):
        config[kind]["given_up"] = 1
    (old / "config.yaml").write_text(yaml.safe_dump(config))
    execute(["predict", f"run={old}", f"input={unlabelled[1]}", "out=scores"])
    with h5py.File(here / "scores" / "scores.h5") as file:
        assert len(file["score"]) == 33
    execute(["export", f"run={old}", "format=safetensors", "out=model.safetensors"])
    assert (here / "model.safetensors").is_file()


def test_a_worker_that_died_is_no_short_answer(here, run, unlabelled, monkeypatch):
    monkeypatch.setattr(Serial, "all_reduce_sum", lambda self, values: {"seen": values["seen"] - 9})
    with pytest.raises(BaryonError, match=r"^a worker died: .* of 70 samples were predicted"):
        execute(["predict", f"run={run}", f"input={unlabelled[0]}", "out=new"])
    assert not (here / "new").exists()


def _ended_while_it_writes(python, arguments, folder, environment, number):
    """Start `baryon predict`, send it a signal once its folder is there, and wait."""
    command = [python, "-m", "baryon", "predict", *arguments, "train.batch_size=1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=folder, env=environment, **pipes)
    while process.poll() is None and not list(folder.glob(".out.*")):
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -number, out + err
    return err


@pytest.mark.slow
def test_a_signal_leaves_nothing_half_written_and_what_a_kill_leaves_is_told(
    here, run, unlabelled, environment, capsys, forked
):
    arguments = [f"run={run}", f"input={unlabelled[0]}", "out=out"]
    err = _ended_while_it_writes(forked.python, arguments, here, environment, signal.SIGTERM)
    assert err.splitlines()[-1] == "baryon: ended by SIGTERM"
    assert not list(here.glob(".out.*"))
    assert not (here / "out").exists()
    _ended_while_it_writes(forked.python, arguments, here, environment, signal.SIGKILL)
    (left,) = here.glob(".out.*")
    execute(["predict", *arguments])
    said = " ".join(" ".join(capsys.readouterr()).split())
    assert f"{left.name} is left of a prediction that was killed" in said
    assert left.is_dir()

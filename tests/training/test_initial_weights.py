"""A run starts from the weights of another one, or says in one line what does not fit."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn
from toy_run import Network, break_off, config, plugins, trainer, weights

from baryon.errors import BaryonError
from baryon.report.page import run_page
from baryon.runs import provenance, reproduction
from baryon.runs import record as run_record
from baryon.runs.directory import RunDirectory
from baryon.training import run as training_run
from baryon.training.checkpoints import file
from baryon.training.initial_weights import load_initial_weights

NAMES = ["body.0.weight", "body.0.bias", "head.weight", "head.bias"]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """The folder of a run that has been trained by other means than those below."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    running = trainer(folder, config(learning_rate=0.1, epochs=2))
    running.fit()
    (folder / "config.yaml").write_text("seed: 1\n")
    return folder


def saved(folder, name):
    return torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)


def network(**changes):
    torch.manual_seed(9)
    return Network(**{"norm": False, "dropout": 0.0} | changes)


def same(model, values, names) -> bool:
    return all(torch.equal(model.state_dict()[name], values[name]) for name in names)


def test_a_runs_best_weights_or_a_file_are_taken(learnt):
    of_run, of_file = network(), network()
    init = load_initial_weights(of_run, str(learnt), [])
    last = load_initial_weights(of_file, str(learnt / "checkpoints" / "last.pt"), [])
    assert same(of_run, saved(learnt, "best")["model"], NAMES)
    assert same(of_file, saved(learnt, "last")["model"], NAMES)
    assert init.path == str(learnt / "checkpoints" / "best.pt")
    assert (init.step, init.taken, init.total) == (saved(learnt, "best")["step"], 4, 4)
    assert last.step == 12


def test_the_digest_is_that_of_the_weights_not_of_the_file(learnt, tmp_path):
    state = saved(learnt, "last")
    only_weights = {key: state[key] for key in ("step", "execution", "identity", "model")}
    file.save(tmp_path / "weights.pt", only_weights)
    paths = [str(learnt / "checkpoints" / "last.pt"), str(tmp_path / "weights.pt")]
    digests = [load_initial_weights(network(), path, []).digest for path in paths]
    assert digests[0] == digests[1]
    only_weights["model"]["head.bias"] += 1e-6
    file.save(tmp_path / "weights.pt", only_weights)
    assert load_initial_weights(network(), paths[1], []).digest != digests[0]
    assert load_initial_weights(network(), paths[1], ["body"]).digest != digests[0]


def test_a_part_is_taken_by_patterns_and_the_rest_stays(learnt):
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    init = load_initial_weights(model, str(learnt), ["body", "*.bias"])
    assert same(
        model, saved(learnt, "best")["model"], ["body.0.weight", "body.0.bias", "head.bias"]
    )
    assert same(model, before, ["head.weight"])
    assert (init.taken, init.total) == (3, 4)


class Wider(Network):
    def __init__(self):
        super().__init__(norm=False, dropout=0.0)
        self.head = nn.Linear(8, 5)
        self.tail = nn.Linear(5, 2, bias=False)


def test_what_does_not_fit_is_listed_in_one_line(learnt):
    model = Wider()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(BaryonError) as raised:
        load_initial_weights(model, str(learnt), [])
    assert str(raised.value) == (
        f"train.init: {learnt}/checkpoints/best.pt does not fit the model; it lacks: tail.weight; "
        "of another form: head.weight float32 (2, 8), here float32 (5, 8), head.bias float32 (2,), "
        "here float32 (5,); take what fits by train.init_only=[<patterns>]"
    )
    with pytest.raises(BaryonError, match="not in this model: body"):
        load_initial_weights(network().body, str(learnt), [])
    with pytest.raises(BaryonError, match="pattern 'legs' matches nothing of the model; it has"):
        load_initial_weights(model, str(learnt), ["body", "legs"])
    assert same(model, before, before)  # nothing was taken
    load_initial_weights(model, str(learnt), ["body"])


def test_files_of_others_are_read_as_every_checkpoint_is(learnt, tmp_path):
    def refusal(path):
        with pytest.raises(BaryonError) as raised:
            load_initial_weights(network(), str(path), [])
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "is neither a run's folder nor a checkpoint's file" in refusal(tmp_path / "nowhere")
    (tmp_path / "text.pt").write_text("no checkpoint")
    assert "is no readable checkpoint" in refusal(tmp_path / "text.pt")
    torch.save({"model": network()}, tmp_path / "code.pt")  # a pickled object
    assert "is no readable checkpoint" in refusal(tmp_path / "code.pt")
    copy = tmp_path / "linked"
    shutil.copytree(learnt, copy)
    (copy / "checkpoints" / "best.pt").unlink()
    (copy / "checkpoints" / "best.pt").symlink_to(learnt / "checkpoints" / "best.pt")
    assert "is a link, which is not followed" in refusal(copy)


@pytest.fixture
def settings(learnt, tmp_path):
    """Of a run that starts from a copy of the other run, which a test may take away."""
    source = tmp_path / "source"
    shutil.copytree(learnt, source)
    made = config(init=str(source), init_only=["body"], freeze=["body.0.weight"], epochs=2)
    return replace(made, run=replace(made.run, root=str(tmp_path), name="fine"))


def test_a_run_starts_there_and_tells_so(settings, learnt, tmp_path, capsys):
    path = training_run.start(settings, plugins(), "toy")
    assert path == tmp_path / "fine"
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 4 tensors of the model are those of" in said
    frozen = "body.0.weight"
    assert torch.equal(saved(path, "last")["model"][frozen], saved(learnt, "best")["model"][frozen])
    run = RunDirectory(path)
    told = provenance.read(run)
    model = network()
    expected = load_initial_weights(model, str(tmp_path / "source"), ["body"])
    assert told.init == expected
    assert expected.digest[:12] in run_page.page(run_record.read(run))
    other = replace(told, init=replace(told.init, digest="0" * 64))
    changes = reproduction.changed_surroundings(
        reproduction.surroundings(told), reproduction.surroundings(other)
    )
    assert changes == [f"the weights of train.init was {expected.digest}, is {'0' * 64}"]


def test_a_resumed_run_does_not_read_them_again(settings, tmp_path):
    folder = tmp_path / "fine"
    whole = trainer(tmp_path / "whole", settings)
    whole.fit()
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    with pytest.raises(BaryonError, match="neither a run's folder nor"):
        training_run.start(settings, plugins(), "toy")
    assert not folder.exists()  # it fails before a folder is made
    (tmp_path / "elsewhere").rename(tmp_path / "source")
    break_off(trainer(folder, settings), 7)
    shutil.rmtree(tmp_path / "source")
    (folder / "config.yaml").write_text("seed: 1\n")
    training_run.resume(RunDirectory(folder), settings, plugins())
    assert json.loads((folder / "metrics.json").read_text())
    expected = weights(whole)
    last = saved(folder, "last")["model"]
    assert all(torch.equal(value, expected[name]) for name, value in last.items())


def test_a_run_without_a_checkpoint_reads_them_again_and_says_if_they_are_others(
    settings, tmp_path, capsys
):
    run = RunDirectory(training_run.start(settings, plugins(), "toy"))
    for path in (run.metrics, run.evaluation, *run.checkpoints.iterdir()):
        path.unlink()  # as after a kill in the first steps
    source = tmp_path / "source" / "checkpoints" / "best.pt"
    shutil.copy(source.parent / "step-00000006.pt", source)
    training_run.resume(run, settings, plugins())
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{source} holds other weights than when {run.path} was started first" in shown
    told = provenance.read(run)
    assert told.init == load_initial_weights(network(), str(source), ["body"])
    assert len(told.resumed) == 1
    assert torch.equal(
        saved(run.path, "last")["model"]["body.0.weight"],
        saved(tmp_path / "source", "best")["model"]["body.0.weight"],
    )

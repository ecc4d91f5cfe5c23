"""W&B gets what the log gets; whatever it does, training goes on."""

import inspect
import sys

import pytest
from tensorboard_reader import LINE

from baryon.tracking import wandb as wandb_tracker
from baryon.tracking.trackers import Trackers


class Settings:
    """Those of wandb 0.31 that are set."""

    def __init__(
        self, *, console, silent, save_code, disable_git, x_disable_meta, x_disable_stats,
        x_save_requirements, init_timeout, finish_timeout, finish_timeout_raises,
    ):  # fmt: skip
        self.sends_nothing_else = (
            disable_git and x_disable_meta and not (save_code or x_save_requirements)
        )


class Fake:
    """The part of wandb 0.31 that is used, with its names and arguments."""

    Settings = Settings

    def __init__(self, key=True, finish=None):
        self.key, self.calls, self.lines, self._finish = key, [], [], finish
        self.url = "https://wandb.ai/me/tests/runs/x"

    def login(self, *, prompt, verify):
        assert not prompt
        return self.key

    def init(self, *, project, id, name, dir, config, mode, resume, reinit, settings):  # noqa: A002
        assert settings.sends_nothing_else
        self.calls.append((project, id, name, mode, resume, reinit))
        self.config = config
        return self

    def define_metric(self, name, *, step_metric=None, hidden=None):
        self.calls.append((name, step_metric))

    def log(self, data):
        self.lines.append(data)

    def finish(self, *, exit_code):
        self.calls.append(exit_code)
        if self._finish:
            raise self._finish


@pytest.fixture
def fake(monkeypatch):
    def install(**changes):
        module = Fake(**changes)
        monkeypatch.setitem(sys.modules, "wandb", module)
        monkeypatch.setattr(wandb_tracker, "find_spec", lambda name: object())
        return module

    return install


def log(run, config, steps=(1, 2), auc=None):
    trackers = Trackers(config, run)
    for step in steps:
        trackers.log("train", LINE | {"step": step})
    if auc:
        trackers.answer({"auc": auc}, "test")
    trackers.close()


def test_wandb_gets_a_run_and_its_resumption(run, tracking, fake, capsys):
    module = fake()
    log(run, tracking(wandb="online"))
    log(run, tracking(wandb="online"), (2, 3), auc=0.9)
    first, second = [call for call in module.calls if isinstance(call, tuple) and len(call) == 6]
    assert first == second  # the id as well
    assert first[0] == "tests"
    assert first[2:] == ("run", "online", "allow", "create_new")
    assert [call for call in module.calls if isinstance(call, int)] == [1, 0]
    assert ("*", "step") in module.calls
    assert [line["step"] for line in module.lines] == [1, 2, 2, 3, 3]
    assert module.lines[0]["train/loss"] == 0.5
    assert module.lines[-1] == {"test/auc": 0.9, "step": 3}
    assert module.config["model.filters"] == 8
    assert capsys.readouterr().out.startswith("W&B shows this run at https://wandb.ai/me/tests/")


def test_without_a_key_it_is_one_line_and_no_question(run, tracking, fake, capsys):
    module = fake(key=False)
    log(run, tracking(wandb="online"))
    assert module.calls == []
    assert capsys.readouterr().out == (
        "warning: stopped logging to W&B, training continues: it knows no key: run `wandb login`, "
        "or set WANDB_API_KEY\n"
    )
    log(run, tracking(wandb="offline"))  # which needs none
    assert capsys.readouterr().out == ""


def test_a_server_that_is_gone_at_the_end_is_one_line(run, tracking, fake, capsys):
    fake(finish=TimeoutError("upload did not finish"))
    log(run, tracking(wandb="online"))
    (_, line) = capsys.readouterr().out.splitlines()
    assert line == (
        "warning: stopped logging to W&B, training continues: TimeoutError: upload did not finish"
    )


def test_a_missing_extra_says_what_to_install(run, tracking, monkeypatch, capsys):
    monkeypatch.setattr(wandb_tracker, "find_spec", lambda name: None)
    log(run, tracking(wandb="offline"))
    assert "install it by pip install 'baryon[wandb]'" in capsys.readouterr().out


@pytest.mark.extended
def test_the_real_one_takes_what_the_fake_takes_and_writes_a_run(run, tracking, capfd, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for real, ours in ((wandb.init, Fake.init), (wandb.login, Fake.login)):
        names = set(inspect.signature(ours).parameters) - {"self"}
        assert names <= set(inspect.signature(real).parameters)
    assert set(inspect.signature(Settings).parameters) <= set(wandb.Settings.model_fields)
    monkeypatch.setattr(sys, "argv", ["baryon", "tracking.mlflow=http://me:hunter2@host"])
    log(run, tracking(wandb="offline"), (1, 2, 2), auc=0.9)
    assert capfd.readouterr() == ("", "")
    (file,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    assert (run.path / "wandb_run_id").read_text().strip() in file.name
    content = file.read_bytes()
    for text in (b"train/loss", b"test/auc", b"model.filters"):
        assert text in content
    assert b"hunter2" not in content
    files = {path.name for path in file.parent.glob("files/*")}
    assert not files & {"wandb-metadata.json", "requirements.txt", "diff.patch"}

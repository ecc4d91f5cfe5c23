"""Trackio gets what the log gets; whatever it does, training goes on."""

import inspect
import sqlite3
import sys

import pytest
from tensorboard_reader import LINE

from baryon.errors import BaryonError
from baryon.tracking import trackio as trackio_tracker
from baryon.tracking.trackers import Trackers


class Fake:
    """The part of trackio 0.43 that is used, with its names and arguments."""

    def __init__(self):
        self.calls, self.lines = [], []

    def init(
        self, *, project, name, config, resume, embed, auto_log_gpu, auto_log_cpu,
        space_id=None, server_url=None,
    ):  # fmt: skip
        self.calls.append((project, name, resume, space_id, server_url))
        self.config = config
        return self

    def log(self, metrics, *, step):
        self.lines.append((step, metrics))

    def finish(self):
        self.calls.append("finish")


@pytest.fixture
def fake(monkeypatch):
    module = Fake()
    monkeypatch.setitem(sys.modules, "trackio", module)
    monkeypatch.setattr(trackio_tracker, "find_spec", lambda name: object())
    for variable in trackio_tracker.ELSEWHERE:
        monkeypatch.delenv(variable, raising=False)
    return module


def log(run, config, steps=(1, 2)):
    trackers = Trackers(config, run)
    for step in steps:
        trackers.log("train", LINE | {"step": step})
    trackers.answer({"auc": 0.9}, "test")
    trackers.close()


@pytest.mark.parametrize(
    ("place", "space", "server"),
    [
        ("local", None, None),
        ("me/space", "me/space", None),
        ("https://host:7860/?write_token=x", None, "https://host:7860/?write_token=x"),
    ],
)
def test_trackio_gets_a_run_where_the_config_says(run, tracking, fake, place, space, server):
    log(run, tracking(trackio=place))
    assert fake.calls == [("tests", "run", "allow", space, server), "finish"]
    assert fake.lines[0][0] == 1
    assert fake.lines[0][1]["train/loss"] == 0.5
    assert fake.lines[-1] == (2, {"test/auc": 0.9})
    assert fake.config["model.filters"] == 8


def test_local_does_not_go_elsewhere_by_a_variable(run, tracking, fake, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_SERVER_URL", "https://host")
    log(run, tracking(trackio="local"))
    assert fake.calls == []
    said = capsys.readouterr().out
    assert "tracking.trackio=local, but TRACKIO_SERVER_URL would send it elsewhere: unset" in said


def test_a_missing_extra_says_what_to_install(run, tracking, monkeypatch, capsys):
    monkeypatch.setattr(trackio_tracker, "find_spec", lambda name: None)
    log(run, tracking(trackio="local"))
    assert "install it by pip install 'baryon[trackio]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trackio": "here"}, "tracking.trackio='here' is none of: local, a server"),
        ({"trackio": "ftp://a:hunter2@b"}, "tracking.trackio='ftp://b' is none of"),
        ({"wandb": "on"}, "tracking.wandb=on is not known; choose from: offline, online"),
    ],
)
def test_places_that_are_none_are_refused(tracking, values, says):
    with pytest.raises(BaryonError) as error:
        tracking(**values)
    assert says in str(error.value)


@pytest.mark.extended
def test_the_real_one_takes_what_the_fake_takes_and_keeps_a_run(
    run, tracking, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    names = set(inspect.signature(Fake.init).parameters) - {"self"}
    assert names <= set(inspect.signature(trackio.init).parameters)
    for _ in range(2):  # and resumed
        log(run, tracking(trackio="local"))
    assert "warning" not in capsys.readouterr().out
    (database,) = (tmp_path / "trackio").glob("tests*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT run_name, step FROM metrics ORDER BY step").fetchall()
    assert rows == [("run", 1)] * 2 + [("run", 2)] * 4

"""Passwords and tokens in addresses are written down nowhere."""

import json
import sys

import pytest

from baryon.config import frozen_file
from baryon.config.compose import composed
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.runs.command_line import command_line
from baryon.runs.sweep_file import SweepFile
from baryon.sweeps.jobs_table import write_csv
from baryon.terminal.console import printable
from baryon.terminal.credentials import strip_credentials, without_credentials
from baryon.tracking import mlflow
from baryon.tracking.background import BackgroundTracker

SECRET = "hunter2"  # noqa: S105
RUN = ["dataset=hep_images", "model=hep_cnn", "dataset.train=x.h5"]


@pytest.mark.parametrize(
    ("address", "stripped"),
    [
        ("http://name:hunter2@host:5000/x", "http://host:5000/x"),
        ("https://hunter2@host", "https://host"),
        ("http://name:hunt/er2@host/", "http://host/"),
        ("http://name:p@hunter2@host/", "http://host/"),
        ("postgresql+psycopg2://u:hunter2@db:5432/m", "postgresql+psycopg2://db:5432/m"),
        ("tracking.mlflow=http://n:hunter2@h", "tracking.mlflow=http://h"),
        ("https://h/x?access_token=hunter2&a=1", "https://h/x?access_token=***&a=1"),
        ("https://h/x?a=1&X-Amz-Signature=hunter2#z", "https://h/x?a=1&X-Amz-Signature=***#z"),
        ("s3://b/k?api_key=hunter2", "s3://b/k?api_key=***"),
        ("two http://a:hunter2@h and http://b:hunter2@g", "two http://h and http://g"),
        ("http://host:5000/path@v2", "http://host:5000/path@v2"),
        ("https://host/?monkey=banana&tokens=3", "https://host/?monkey=banana&tokens=3"),
        ("data/a@b:c.h5", "data/a@b:c.h5"),
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
    ],
)
def test_an_address_without_its_credentials(address, stripped):
    assert strip_credentials(address) == stripped
    assert printable(address) == stripped
    assert without_credentials({"a": [address, 1, None]}) == {"a": [stripped, 1, None]}


def test_a_password_is_in_no_file_of_a_run(tmp_path, monkeypatch):
    address = f"http://name:{SECRET}@host:5000"
    given = [*RUN, f"tracking.mlflow={address}"]
    config = composed(given, discover())
    assert config.tracking.mlflow == address  # in memory, for use
    frozen_file.write(config, tmp_path / "config.yaml")
    assert SECRET not in (tmp_path / "config.yaml").read_text()
    assert "http://host:5000" in (tmp_path / "config.yaml").read_text()
    assert SECRET not in json.dumps(config.values)
    monkeypatch.setattr(sys, "orig_argv", ["python", "/x/bin/baryon", "train", *given])
    assert SECRET not in str(command_line())
    assert command_line()[-1] == "tracking.mlflow=http://host:5000"


def test_a_warning_of_a_tracker_holds_no_password(monkeypatch, capsys):
    def refuse(address: str) -> None:
        raise ConnectionError(f"no route to {address}?token={SECRET}")

    monkeypatch.setattr(mlflow, "_client", refuse)
    monkeypatch.setattr(mlflow, "find_spec", lambda name: object())
    given = [*RUN, f"tracking.mlflow=http://name:{SECRET}@host"]
    tracker = BackgroundTracker(mlflow.MLflow(None, composed(given, discover())))
    tracker._thread.join(10)
    said = capsys.readouterr().out
    assert "stopped logging to MLflow at http://host" in said
    assert SECRET not in said


def test_a_sweep_records_no_password(tmp_path):
    command = ["baryon", "train", "-m", f"tracking.mlflow=http://n:{SECRET}@h"]
    sweep = SweepFile("x", command=command)
    sweep.write(tmp_path)
    write_csv(sweep, tmp_path)
    assert all(SECRET not in path.read_text() for path in tmp_path.iterdir())
    assert "tracking.mlflow=http://h" in (tmp_path / "sweep.json").read_text()


def test_what_is_left_of_an_interpolation_is_refused_when_a_config_is_frozen(monkeypatch):
    monkeypatch.setenv("FILES", "${seed}")
    with pytest.raises(BaryonError, match=r"dataset\.train holds '\$\{' after all has been"):
        composed([*RUN[:2], "dataset.train=${oc.env:FILES}"], discover())

"""`~` in the value of an option is the home folder, as where the shell replaces it."""

from pathlib import Path

import pytest

from baryon.cli import expand_home


@pytest.fixture(autouse=True)
def home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")


@pytest.mark.parametrize(
    ("argument", "expanded"),
    [
        ("dataset.train=~/x.h5", "dataset.train=/home/me/x.h5"),
        ("dataset.train=[~/a.h5,~/b.h5]", "dataset.train=[/home/me/a.h5,/home/me/b.h5]"),
        ("dataset.train=['~/a b.h5', ~/b.h5]", "dataset.train=['/home/me/a b.h5', /home/me/b.h5]"),
        ("input=~/a.h5,~/*.h5", "input=/home/me/a.h5,/home/me/*.h5"),
        ("run.root=~", "run.root=/home/me"),
        ("x={a:~/b}", "x={a:/home/me/b}"),
        ("out=~root/x", f"out={Path('~root').expanduser()}/x"),
        ("dataset.train=~nobody-at-all/x", "dataset.train=~nobody-at-all/x"),
        ("dataset.train=a/~/b", "dataset.train=a/~/b"),
        ("dataset.train=x.h5~", "dataset.train=x.h5~"),
        ("~model", "~model"),
        ("--help", "--help"),
    ],
)
def test_home_is_expanded(argument, expanded):
    assert expand_home(argument) == expanded


def test_files_and_folders_below_home(baryon, write_events, tmp_path, environment):
    """Files of a dataset and the folder of a check, as a person types them."""
    write_events(tmp_path / "train.h5", 16)
    given = ["dataset=hep_images", "dataset.train=~/train.h5", "out=~/checked"]
    done = baryon("data", "check", *given, cwd="/", env=environment | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "checked" / "report.html").exists()

"""What a run ran on is described when it starts, and again when it starts once more."""

import pytest

from baryon.errors import BaryonError
from baryon.runs import provenance
from baryon.runs.directory import RunDirectory
from baryon.runs.git_state import GitState
from baryon.runs.provenance import Provenance, RankProvenance


@pytest.fixture
def run(tmp_path, monkeypatch) -> RunDirectory:
    """A folder in which a restart runs on Python 3.12."""
    now = Provenance("now", ["baryon", "resume"], "/here", python="3.12", machine={"cores": 2})
    monkeypatch.setattr(provenance, "_describe", lambda *_: now)
    return RunDirectory(tmp_path)


def restart(run):
    provenance.write_restart(run, None, None, None, [RankProvenance("h", 1)])
    return provenance.read(run)


def test_a_restart_keeps_the_first_command_and_tells_what_it_runs_on_now(run):
    git = GitState("c", "main", None, 0, 0)
    first = Provenance("then", ["baryon", "train"], "/there", git=git, python="3.11")
    provenance._write(run, first)
    again = restart(run)
    assert (again.started, again.command, again.folder) == ("then", ["baryon", "train"], "/there")
    assert (again.git, again.python) == (git, "3.12")
    (entry,) = again.resumed
    assert (entry.at, entry.command) == ("now", ["baryon", "resume"])
    assert len(restart(run).resumed) == 2


def test_a_restart_without_a_first_description_is_a_start(run):
    again = restart(run)
    assert (again.started, again.command, again.resumed) == ("now", ["baryon", "resume"], [])


def test_damage_is_named(run):
    provenance._write(run, Provenance())
    text = run.provenance.read_text()
    run.provenance.write_text(text.replace('"started": ""', '"started": 3'))
    with pytest.raises(BaryonError, match="is damaged: its started is not what Baryon writes"):
        provenance.read(run)
    run.provenance.write_text("[")
    with pytest.raises(BaryonError, match=r"provenance\.json is damaged: .* cannot be read"):
        provenance.read(run)
    run.provenance.write_text('{"format": 99, "baryon": "9.9"}')
    with pytest.raises(BaryonError, match=r"has run format 99, written by baryon 9\.9") as newer:
        provenance.read(run)
    assert "damaged" not in str(newer.value)

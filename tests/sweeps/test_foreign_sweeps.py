"""What a power cut or somebody else has left in the folder of a sweep."""

import json
import time

import pytest

from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.runs import sweep_file as sweep_files
from baryon.sweeps import continuation, job_status, optuna_study
from baryon.sweeps.optuna_study import JOURNAL, About, mend_journal, open_study, read_about
from baryon.system import locks

ABOUT = About("loss", "minimize", "none", 1, 1)


@pytest.fixture
def journal(tmp_path):
    """The journal of a study with two finished trials."""
    found = open_study(tmp_path, ABOUT)
    for value in (1.0, 2.0):
        found.tell(found.ask(), value)
    return tmp_path / JOURNAL


@pytest.mark.parametrize(
    "tail", [b'{"op_code":4,"wor', b"\0" * 300, b"\0" * 20 + b"\n", b'{"op_code"\n', b"[1]\n"]
)
def test_a_journal_that_a_power_cut_tore_is_mended(journal, tail, capsys):
    whole = journal.read_bytes()
    journal.write_bytes(whole + tail)
    mend_journal(journal.parent)
    assert journal.read_bytes() == whole
    (kept,) = journal.parent.glob(f"{JOURNAL}.damaged-*")
    assert kept.read_bytes() == whole + tail
    assert "had 1 damaged lines" in capsys.readouterr().out
    again = open_study(journal.parent, ABOUT)
    again.tell(again.ask(), 3.0)
    assert [trial.value for trial in open_study(journal.parent, ABOUT).trials] == [1.0, 2.0, 3.0]


def test_a_torn_line_in_the_middle_is_mended(journal):
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:-1], b'{"op_code":6,"wor', lines[-1]]))
    with pytest.raises(BaryonError, match=r"optuna\.journal cannot be read"):
        open_study(journal.parent, ABOUT)
    mend_journal(journal.parent)
    assert len(open_study(journal.parent, ABOUT).trials) >= 2


def test_a_whole_journal_stays_as_it_is(journal, capsys):
    before = journal.stat()
    mend_journal(journal.parent)
    assert journal.stat().st_ino == before.st_ino
    assert capsys.readouterr().out == ""


def test_a_journal_of_other_operations_is_one_line(journal):
    journal.write_bytes(b'{"op_code": 4, "worker_id": 3}\n' + b"{}\n")
    with pytest.raises(BaryonError, match=r"optuna\.journal cannot be read"):
        open_study(journal.parent, ABOUT)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, "{", "[]", '{"state": []}', "9" * 5000, '{"state": "x"}',
        '{"state": "failed", "error": [], "seconds": 1, "batch_job": null}',
        '{"state": "failed", "error": "x", "seconds": "y", "batch_job": null}',
    ],
)  # fmt: skip
def test_a_damaged_status_is_that_of_a_job_that_waits(tmp_path, text):
    (tmp_path / job_status.NAME).write_text(text)
    assert job_status.read(tmp_path) == job_status.Status()


def sweep_file(folder, **changes):
    job = {
        "id": "a" * 12, "number": 0, "run": "0-aaaa", "choices": {}, "state": "waiting",
        "error": None, "value": None, "seconds": None,
    } | changes.pop("job", {})  # fmt: skip
    plugins = discover()
    sweep = sweep_files.SweepFile("x", continuation.plugin_versions(plugins))
    values = vars(sweep) | {"metric": "loss", "direction": "minimize", "jobs": [job]} | changes
    (folder / sweep_files.NAME).write_text(json.dumps(values))
    return plugins


@pytest.mark.parametrize("run", ["../../outside", "..", "/etc/x", "a/b", 3, "", "a\nb"])
def test_a_job_leads_to_no_folder_outside(tmp_path, run):
    plugins = sweep_file(tmp_path, job={"run": run})
    with pytest.raises(BaryonError, match=r"sweep\.fresh=true"):
        continuation.read_or_new(tmp_path, plugins)


def test_a_job_whose_folder_is_a_link_is_refused(tmp_path):
    plugins = sweep_file(tmp_path)
    assert continuation.read_or_new(tmp_path, plugins).jobs[0].run == "0-aaaa"
    (tmp_path / "0-aaaa").symlink_to("/etc")
    with pytest.raises(BaryonError, match="is a link, which is not followed"):
        continuation.read_or_new(tmp_path, plugins)


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs": [1]}, {"jobs": {}}, {"swept": [1]}, {"command": "x"}, {"metric": None},
        {"job": {"choices": []}}, {"job": {"value": "x"}}, {"job": {"more": 1}}, {"more": 1},
        {"version": 3}, {"plugins": []},
    ],
)  # fmt: skip
def test_a_sweep_of_other_types_is_one_line(tmp_path, changes):
    plugins = sweep_file(tmp_path, **changes)
    with pytest.raises(BaryonError, match=r"sweep\.fresh=true"):
        continuation.read_or_new(tmp_path, plugins)


def test_what_optuna_is_told_of_is_checked(tmp_path):
    optuna_study.write_about(tmp_path, ABOUT)
    assert read_about(tmp_path) == ABOUT
    (tmp_path / optuna_study.ABOUT).write_text('{"metric": "loss", "direction": "sideways"}')
    with pytest.raises(BaryonError, match="is not what a sweep writes"):
        read_about(tmp_path)


@pytest.mark.parametrize("process", [0, -1, 1, "3", None, 2**70])
def test_no_process_is_signalled_because_a_file_says_so(tmp_path, process):
    since = time.strftime("%H:%M")
    (tmp_path / locks.NAME).write_text(
        json.dumps({"host": "a", "process": process, "since": since})
    )
    assert locks.Lock(tmp_path).read_holder() == {}
    assert locks.Lock(tmp_path).holder() == "another process"

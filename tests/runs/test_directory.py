"""A run's folder is made once; one that a killed run has only begun may be taken again."""

import pytest

from baryon.config.schemas import Run
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory, create
from baryon.system import locks


def folder(tmp_path) -> Run:
    return Run(root=str(tmp_path), name="mine")


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    run = create(folder(tmp_path), "label")
    run.config.write_text("seed: 1\n")
    with pytest.raises(BaryonError, match="exists already: go on with it by `baryon resume run="):
        create(folder(tmp_path), "label")


def test_a_folder_whose_run_was_killed_before_its_config_was_written_is_taken(tmp_path):
    run = create(folder(tmp_path), "label")
    (run.path / locks.NAME).touch()
    assert create(folder(tmp_path), "label") == run
    (run.checkpoints / "last.pt").touch()
    with pytest.raises(BaryonError, match="exists already"):
        create(folder(tmp_path), "label")


def test_a_log_that_is_set_aside_is_never_lost(tmp_path):
    run = RunDirectory(tmp_path)
    run.set_log_aside()
    assert not run.log_aside.exists()
    for attempt in ("first", "second"):
        run.log.write_text(f"{attempt}\n")
        run.set_log_aside()
        assert not run.log.exists()
    assert run.log_aside.read_text() == "first\nsecond\n"


def test_an_entry_that_is_a_link_is_refused(tmp_path):
    run = RunDirectory(tmp_path)
    run.require_no_links()
    run.config.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BaryonError, match=r"config\.yaml is a link, which is not followed"):
        run.require_no_links()

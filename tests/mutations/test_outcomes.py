"""Each way in which reading can end is told from the others, and the process goes on."""

import ctypes
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import outcomes
import pytest
from outcomes import Kind, Limits, by_command, damaged_outcomes, outcome_of

from baryon.errors import BaryonError


def refuse(line: str):
    raise BaryonError(line)


@pytest.mark.parametrize(
    ("call", "how", "detail"),
    [
        (lambda: 17, outcomes.RIGHT, ""),
        (lambda: refuse("a.h5 is damaged"), outcomes.ONE_LINE, "a.h5 is damaged"),
        (lambda: refuse("a.h5\nis damaged"), outcomes.TRACEBACK, "no single line"),
        (lambda: refuse(""), outcomes.TRACEBACK, "no single line"),
        (lambda: {}["x"], outcomes.TRACEBACK, "KeyError: 'x'"),
        (lambda: time.sleep(30), outcomes.HANG, "not done after 0.5 s"),
        (lambda: np.ones(2**29), outcomes.MEMORY, "MemoryError"),
        (lambda: ctypes.string_at(0), outcomes.CRASH, "SIGSEGV"),
        (lambda: os._exit(3), outcomes.CRASH, "exit code 3"),
    ],
)
def test_outcome_of_says_how_a_call_ended(call, how, detail):
    seconds = 0.5 if how == outcomes.HANG else 60
    outcome = outcome_of(call, Limits(seconds, memory_mib=512))
    assert (outcome.how, outcome.value) == (how, 17 if how == outcomes.RIGHT else None)
    assert detail in outcome.detail


def test_outcome_of_leaves_no_process_behind(tmp_path):
    def start():
        child = subprocess.Popen(["sleep", "100"])
        (tmp_path / "pid").write_text(str(child.pid))

    assert outcome_of(start).how == outcomes.RIGHT
    pid, until = (tmp_path / "pid").read_text(), time.monotonic() + 60
    while (
        status := Path(f"/proc/{pid}/status")
    ).exists() and "Z (zombie)" not in status.read_text():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_damaged_outcomes_compares_with_the_undamaged_input():
    def make(folder: Path) -> list[Path]:
        (folder / "one.txt").write_text("sound")
        (folder / "two.txt").write_text("sound")
        return [folder / "one.txt", folder / "two.txt"]

    def read(folder: Path) -> str:
        (folder / "left behind").touch(exist_ok=False)
        return (folder / "two.txt").read_text(errors="replace")

    found = list(damaged_outcomes(Kind("text", make, read), 14, 1))
    assert [description.split(":")[0] for description, _ in found] == ["one.txt"] * 7 + [
        "two.txt"
    ] * 7
    assert {outcome.how for _, outcome in found[:7]} == {outcomes.RIGHT}
    assert {outcome.how for _, outcome in found[7:]} <= {outcomes.RIGHT, outcomes.OTHER}
    assert outcomes.OTHER in {outcome.how for _, outcome in found[7:]}


def test_damaged_outcomes_refuses_input_that_is_damaged_from_the_start(tmp_path):
    kind = Kind("broken", lambda folder: [], lambda folder: refuse("no file"))
    with pytest.raises(AssertionError, match="undamaged"):
        next(damaged_outcomes(kind, 1, 1))


def test_by_command_raises_the_line_that_a_command_said():
    outcome = outcome_of(lambda: by_command("show", "model/nothing"))
    assert outcome.how == outcomes.ONE_LINE
    assert outcome.detail.startswith("baryon: error: ")
    assert outcome_of(lambda: by_command("--version")).how == outcomes.RIGHT

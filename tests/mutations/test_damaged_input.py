"""A few mutants of every kind: a right result or one line, never a traceback, hang or crash.

The large counts, of which docs/reliability.md has the table, come from count.py.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from kinds import all_kinds
from outcomes import BAD

FEW, FEW_COMMAND_LINES = 3, 8
COMMAND_LINES = "command lines"
FILES = [name for name in all_kinds() if name != COMMAND_LINES]


def counted(
    python: Path, folder: Path, mutants: int, *kinds: str
) -> tuple[dict[str, dict[str, int]], str]:
    """The counts of these kinds, and all that was said: one process for all."""
    command = [python, Path(__file__).with_name("count.py"), "--mutants", str(mutants)]
    done = subprocess.run(
        [*command, *kinds],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


@pytest.fixture(scope="module")
def damaged_files(tmp_path_factory, forked) -> tuple[dict[str, dict[str, int]], str]:
    """The counts of all kinds of files."""
    return counted(forked.python, tmp_path_factory.mktemp("mutants"), FEW, *FILES)


@pytest.mark.parametrize("kind", FILES)
def test_damaged_input_ends_with_a_right_result_or_one_line(damaged_files, kind):
    counts, said = damaged_files
    assert sum(counts[kind].values()) == FEW
    assert f"| {kind} | {FEW} |" in said  # the table that docs/reliability.md has
    assert {how: counts[kind].get(how, 0) for how in BAD} == dict.fromkeys(BAD, 0), said


def test_an_odd_command_line_does_what_it_says_or_ends_with_one_line(tmp_path, forked):
    counts, said = counted(forked.python, tmp_path, FEW_COMMAND_LINES, COMMAND_LINES)
    assert sum(counts[COMMAND_LINES].values()) == FEW_COMMAND_LINES
    assert not set(BAD) & set(counts[COMMAND_LINES]), said

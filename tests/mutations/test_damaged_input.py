"""A few mutants of every kind: a right result or one line, never a traceback, hang or crash.

The large counts, of which docs/reliability.md has the table, come from count.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kinds import all_kinds
from outcomes import BAD

FEW = 7


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> tuple[dict[str, dict[str, int]], str]:
    """The counts of all kinds, and all that was said: one process for all."""
    command = [sys.executable, Path(__file__).with_name("count.py"), "--mutants", str(FEW)]
    done = subprocess.run(
        command,
        cwd=tmp_path_factory.mktemp("mutants"),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


@pytest.mark.parametrize("kind", list(all_kinds()))
def test_damaged_input_ends_with_a_right_result_or_one_line(counted, kind):
    counts, said = counted
    assert sum(counts[kind].values()) == FEW
    assert {how: counts[kind].get(how, 0) for how in BAD} == dict.fromkeys(BAD, 0), said

"""Run every benchmark of this folder and show their results in a table.

python benchmarks/run_all.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from baryon.interfaces import Table
from baryon.report.results import show_table
from baryon.terminal.console import say

COLUMNS = ("name", "value", "unit", "alternative", "ratio", "goal")


def run(path: Path) -> list[dict[str, Any]]:
    """Run a benchmark and read its lines of JSON."""
    say(f"{path.name} ...")
    done = subprocess.run([sys.executable, str(path)], check=True, text=True, capture_output=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    print(*lines, sep="\n", flush=True)
    return [json.loads(line) for line in lines]


def main() -> None:
    """Run all but this file, in the order of their names."""
    paths = sorted(Path(__file__).parent.glob("*.py"))
    results = [row for path in paths if path != Path(__file__) for row in run(path)]
    show_table(Table(COLUMNS, [[str(row[name]) for name in COLUMNS] for row in results]))


if __name__ == "__main__":
    main()

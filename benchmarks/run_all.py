"""Run every benchmark of this folder; a table at the end.

python benchmarks/run_all.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from baryon.interfaces import Table
from baryon.reporting.console import say
from baryon.reporting.results import show_table

COLUMNS = ("name", "value", "unit", "alternative", "ratio", "goal")


def run(path: Path) -> dict[str, Any]:
    """Run one and read its last line."""
    say(f"{path.name} ...")
    done = subprocess.run([sys.executable, str(path)], check=True, text=True, capture_output=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(figures), flush=True)
    return figures


def main() -> None:
    """All but this file, in the order of their names."""
    paths = sorted(Path(__file__).parent.glob("*.py"))
    rows = [run(path) for path in paths if path != Path(__file__)]
    show_table(Table(COLUMNS, [[str(row[name]) for name in COLUMNS] for row in rows]))


if __name__ == "__main__":
    main()

"""Measure how long `baryon plugins` takes, against importing torch alone.

python benchmarks/discovery.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

BARYON = str(Path(sys.executable).parent / "baryon")
GOAL_SECONDS = 0.5


def seconds(command: list[str]) -> float:
    """Return the wall-clock time of a command."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure both in turn, then print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    pairs = [
        (seconds([BARYON, "plugins"]), seconds([sys.executable, "-c", "import torch"]))
        for _ in range(repeats)
    ]
    listing = statistics.median(pair[0] for pair in pairs)
    torch_alone = statistics.median(pair[1] for pair in pairs)
    figures = {
        "name": "baryon plugins",
        "value": round(listing, 3),
        "unit": "s",
        "alternative": f"python -c 'import torch': {torch_alone:.3f} s",
        "ratio": round(torch_alone / listing, 2),
        "goal": f"at most {GOAL_SECONDS} s",
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

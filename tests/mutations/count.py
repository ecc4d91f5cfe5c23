"""Count how reading damaged input ends: python tests/mutations/count.py --mutants 500 [kind ...].

Prints each fault as it is seen, a table, and as the last line the counts as JSON. The exit code is
1 if there was a fault: a traceback, a hang, a crash, or memory beyond the limit.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from forked_inspection import use_forks
from kinds import all_kinds
from outcomes import BAD, GOOD, damaged_outcomes


def main() -> int:
    """Count, and say it."""
    use_forks()
    kinds = all_kinds()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(kinds)}; none: all")
    parser.add_argument("--mutants", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print every outcome")
    given = parser.parse_args()
    counts = {
        name: _counted(name, given.mutants, given.seed, given.show)
        for name in given.kinds or list(kinds)
    }
    columns = (*GOOD, *BAD)
    print("| kind | mutants |", *(f"{column} |" for column in columns))
    print("|---" * (len(columns) + 2) + "|")
    for name, found in counts.items():
        print(f"| {name} | {sum(found.values())} |", *(f"{found[column]} |" for column in columns))
    print(json.dumps({name: dict(found) for name, found in counts.items()}))
    return int(any(found[how] for found in counts.values() for how in BAD))


def _counted(name: str, count: int, seed: int, show: bool) -> Counter[str]:
    found: Counter[str] = Counter()
    start = time.monotonic()
    for description, outcome in damaged_outcomes(all_kinds()[name], count, seed):
        found[outcome.how] += 1
        if show or outcome.how in BAD:
            print(f"{name}: {description}: {outcome.how}: {outcome.detail}", flush=True)
    print(f"{name}: {count} mutants, {time.monotonic() - start:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())

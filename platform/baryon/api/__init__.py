"""Baryon from Python: what the command line does, for notebooks and programs.

`import baryon` offers the names of this package; each is imported when it is first used, so that
`import baryon` itself stays light. The commands call the same functions.
"""

from baryon.api.run import Run
from baryon.api.run_list import RunList, list_runs
from baryon.api.training import compose, sweep, train

__all__ = ["Run", "RunList", "compose", "list_runs", "sweep", "train"]

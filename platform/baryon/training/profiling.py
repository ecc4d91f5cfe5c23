"""`train.profile=true`: a trace of a few steps, and a table of where their time went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from baryon.system.atomic import atomic_write, write_text
from baryon.terminal.console import say, warn

FIRST, WARM_UP, TRACED = 2, 1, 3  # steps passed over, warmed up with, traced
ROWS = 40
FOLDER = "profile"


@contextmanager
def profiling(wanted: bool, device: torch.device, run: Path) -> Iterator[Callable[[], None]]:
    """Call what it gives after every step; the files lie in `<run>/profile`."""
    if not wanted:
        yield lambda: None
        return
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)

    made, wants = 0, FIRST + WARM_UP + TRACED

    def write(profiler: profile) -> None:
        if made < wants:  # the run has ended: what is there is not what it would be said to be
            return
        folder = run / FOLDER
        folder.mkdir(exist_ok=True)
        with atomic_write(folder / "trace.json") as temporary:
            profiler.export_chrome_trace(str(temporary))
        key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
        table = profiler.key_averages().table(sort_by=key, row_limit=ROWS)
        write_text(folder / "table.txt", f"{table}\n")
        say(f"profile of {TRACED} steps: {folder}/table.txt, and trace.json for ui.perfetto.dev")

    plan = schedule(wait=FIRST, warmup=WARM_UP, active=TRACED, repeat=1)
    with profile(activities=activities, schedule=plan, on_trace_ready=write) as profiler:

        def next_step() -> None:
            nonlocal made
            made += 1
            profiler.step()

        yield next_step
    if made < wants:
        warn(f"train.profile wants {wants} steps, the run had {made}: no profile")

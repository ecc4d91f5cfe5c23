"""Trace a few steps of a run (`train.profile=true`), and write a table of where their time went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from baryon.system.atomic import atomic_write, write_text
from baryon.terminal.console import say, warn

SKIPPED_STEPS, WARM_UP_STEPS, TRACED_STEPS = 2, 1, 3
"""The first steps allocate and compile; a step of warm-up then hides the profiler's own start."""
STEPS = SKIPPED_STEPS + WARM_UP_STEPS + TRACED_STEPS
TABLE_ROWS = 40
FOLDER = "profile"


@contextmanager
def profiling(wanted: bool, device: torch.device, run: Path) -> Iterator[Callable[[], None]]:
    """Profile the steps of a run inside this context.

    Parameters
    ----------
    wanted
        If not, nothing is profiled.
    device
        The device that computes.
    run
        Folder of the run; `trace.json` and `table.txt` are written into `profile` there.

    Yields
    ------
    callable
        To be called after every step.

    """
    if not wanted:
        yield lambda: None
        return
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    steps = 0

    def write(profiler: profile) -> None:
        # PyTorch also calls this when the run ends earlier, with fewer steps than we would claim.
        if steps >= STEPS:
            _write(profiler, device, run / FOLDER)

    plan = schedule(wait=SKIPPED_STEPS, warmup=WARM_UP_STEPS, active=TRACED_STEPS, repeat=1)
    with profile(activities=activities, schedule=plan, on_trace_ready=write) as profiler:

        def next_step() -> None:
            nonlocal steps
            steps += 1
            profiler.step()

        yield next_step
    if steps < STEPS:
        warn(f"train.profile wants {STEPS} steps, the run had {steps}: no profile")


def _write(profiler: profile, device: torch.device, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with atomic_write(folder / "trace.json") as temporary:
        profiler.export_chrome_trace(str(temporary))
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    table = profiler.key_averages().table(sort_by=key, row_limit=TABLE_ROWS)
    write_text(folder / "table.txt", f"{table}\n")
    say(f"profile of {TRACED_STEPS} steps: {folder}/table.txt, and trace.json for ui.perfetto.dev")

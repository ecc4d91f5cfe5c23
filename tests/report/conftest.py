"""Folders of runs and sweeps written by hand, and pages in a real browser."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from baryon.runs.process import process_began

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def going() -> dict:
    """Part of the provenance of a run whose process lives: this one."""
    pid, host = os.getpid(), os.uname().nodename
    return {"process": {"host": host, "pid": pid, "began": process_began(pid), "started": 0.0}}


@pytest.fixture(scope="session")
def write_sweep(write_run) -> Callable[[Path], Path]:
    """Write the folder of a sweep: four finished jobs, one that failed, one that waits."""

    def write(path: Path, *, named: bool = True) -> Path:
        jobs = []
        for number in range(6):
            rate, kind = (1e-4, 1e-3, 1e-2)[number % 3], ("adam", "sgd")[number // 3]
            choices = {"train.learning_rate": rate, "train.optimizer": kind}
            ran = number < 4
            if ran:
                write_run(path / str(number), slope=0.01 * (number + 1), config=choices)
            jobs.append(
                {
                    "id": f"j{number}", "number": number,
                    "run": str(number), "choices": choices,
                    "state": "finished" if ran else ("failed", "waiting")[number - 4],
                    "error": "step 3: the loss is NaN" if number == 4 else None,
                    "value": 0.9 + 0.005 * (number + 1) if ran else None,
                    "seconds": 12.0 if ran else None,
                }
            )  # fmt: skip
        if named:
            sweep = {
                "format": 1, "version": "0.1.0", "plugins": {}, "name": "rates",
                "command": ["baryon", "train", "-m"],
                "swept": ["train.learning_rate", "train.optimizer"], "metric": "auc",
                "direction": "maximize", "started": "2026-11-24T10:00:00+00:00", "jobs": jobs,
            }  # fmt: skip
            (path / "sweep.json").write_text(json.dumps(sweep))
        return path

    return write


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """Headless Chromium."""
    browser = os.environ.get("BARYON_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not browser:
        pytest.skip("no Chromium here: install it, or name one in BARYON_BROWSER")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(chromium) -> Iterator[Callable]:
    """Open an address; the page knows what went wrong in it (`complaints`) and its `requests`."""
    contexts = []

    def open_page(address: str, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints, page.requests = [], []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()

"""The report of a real run, opened in a real browser."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BARYON = Path(sys.executable).parent / "baryon"
SHOWN = ["train.steps=4", "run.name=shown", "evaluator.example_images=4"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def report(tmp_path_factory, hep_files, cache) -> Path:
    folder = tmp_path_factory.mktemp("report")
    subprocess.run(
        [BARYON, "train", *hep_files, *SHOWN],
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        check=True,
        capture_output=True,
    )
    return folder / "runs" / "shown" / "report.html"


@pytest.fixture
def page(report):
    """The page in headless Chromium, with what went wrong in it and what it asked for."""
    browser = os.environ.get("BARYON_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not browser:
        pytest.skip("no Chromium here: install it, or name one in BARYON_BROWSER")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.complaints, page.requests = [], []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(report.as_uri())
        yield page
        chromium.close()


@pytest.mark.slow
@pytest.mark.browser
def test_it_opens_offline_with_all_its_pictures(page, report):
    assert page.complaints == []
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert asked == [report.as_uri()]
    widths = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
    assert len(widths) == 4
    assert all(width > 300 for width in widths)
    assert all(page.eval_on_selector_all("img", "images => images.map(i => i.alt)"))


@pytest.mark.slow
@pytest.mark.browser
def test_it_says_the_answer_and_the_config(page, report):
    assert page.inner_text("h1") == "shown"
    assert "area" in page.inner_text(".answer")
    assert page.locator("table").count() >= 4
    page.click("summary:has-text('Configuration')")
    assert page.is_visible("text=train.batch_size")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(page, scheme):
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")

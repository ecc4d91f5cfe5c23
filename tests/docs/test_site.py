"""The documentation is built as a site without a warning, and opens without a network."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("use", "href")}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Loads(HTMLParser):
    """What a page takes from elsewhere when it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        for name, value in attrs:
            if (tag, name) in LOADED and given.get("rel") != "canonical":
                self.found.append(value)


def test_no_page_takes_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert loads.found
        assert [one for one in loads.found if re.match(r"(https?:)?//", one)] == []


def test_every_page_of_the_folder_is_in_it(site):
    for page in (ROOT / "docs").rglob("*.md"):
        inside = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / inside).is_file()


def test_the_reference_tells_the_contract(site):
    page = (site / "reference" / "contract.html").read_text()
    names = (
        "plugins.hookspecs.baryon_models",
        "interfaces.Communicator.step",
        "errors.BaryonError",
    )
    assert all(f'id="baryon.{name}"' in page for name in names)


@pytest.mark.parametrize("word", ["lightning", "wandb", "quickstart", "dropout"])
def test_the_search_knows_what_newcomers_ask_for(site, word):
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert any(word in f"{page['title']} {page['text']}".lower() for page in index["docs"])


def missing(request) -> list[str]:
    """The address of what failed; not of what was still on its way when the next page came."""
    return [] if request.failure == "net::ERR_ABORTED" else [request.url]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_and_is_searched_without_a_network(site, scheme, width):
    browser = os.environ.get("BARYON_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not browser:
        pytest.skip("no Chromium here: install it, or name one in BARYON_BROWSER")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = chromium.new_context(
            offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        page = context.new_page()
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.extend(missing(request)))
        for name in (
            "index",
            "how-it-works",
            "tasks",
            "reference/contract",
            "reference/configuration",
        ):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            shown = page.evaluate(
                "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
            )
            assert shown
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        dark = sum(map(int, re.findall(r"\d+", background)[:3])) < 3 * 128
        assert dark == (scheme == "dark")
        if width > 1000:
            page.fill("input[name=query]", "staleness")
            page.wait_for_selector(".md-search-result__item")
        assert wrong == []
        chromium.close()

"""All kinds of page meet WCAG 2.2 AA, as far as axe-core and a keyboard can tell."""

from importlib import resources
from pathlib import Path

import pytest

from baryon.cli import main
from baryon.data.checks.check import Diagnosis
from baryon.data.checks.finding import CheckResult, Finding
from baryon.figures import new
from baryon.interfaces import Table
from baryon.report import check_page
from baryon.report.page import run_page
from baryon.runs import record
from baryon.runs.directory import RunDirectory

pytestmark = [pytest.mark.slow, pytest.mark.browser]

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
REACHABLE = (Path(__file__).parent / "reachable.js").read_text()
KINDS = ("run", "comparison", "sweep", "check", "watch")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}

FOCUSED = """() => {
    const at = document.activeElement;
    if (at === document.body) return null;
    at.dataset.walked = "yes";
    const box = at.getBoundingClientRect(), bar = document.querySelector(".bar");
    const below = at.closest(".bar, .skip") || box.bottom > bar.getBoundingClientRect().bottom;
    const style = getComputedStyle(at);
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return { name: at.outerHTML.slice(0, 90), seen: Boolean(below) && ringed };
}"""
MISSED = """() => [...document.querySelectorAll("a[href], button, summary, input, [tabindex='0']")]
    .filter((one) => one.checkVisibility() && one.tabIndex >= 0 && !one.dataset.walked)
    .map((one) => one.outerHTML.slice(0, 90))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory, write_run, write_sweep) -> dict[str, Path]:
    """One page of each kind, with all that such a page can show."""
    folder = tmp_path_factory.mktemp("accessible")
    one, other = write_run(folder / "one"), write_run(folder / "other", slope=0.03, steps=60)
    sweep = write_sweep(folder / "sweep")
    paths = {kind: folder / f"{kind}.html" for kind in KINDS}
    assert main(["report", f"run={one}", f"out={paths['run']}"]) == 0
    assert main(["report", f"run={one}", f"run={other}", f"out={paths['comparison']}"]) == 0
    assert main(["report", f"sweep={sweep}", f"out={paths['sweep']}"]) == 0
    paths["watch"].write_text(run_page.page(record.read(RunDirectory(one)), tag="1"))
    check_page.write(_diagnosis(), "toys", {"train": "<b>x</b>.h5"}, folder / "check")
    paths["check"] = folder / "check" / "report.html"
    return paths


def _diagnosis() -> Diagnosis:
    figure = new(3, 2, "Values")
    figure.subplots().plot([0, 1], [0, 1])
    findings = [Finding("train", "x is NaN in 3 samples", refused=True), Finding("val", "y is 0")]
    checks = [
        CheckResult("Values are finite", findings),
        CheckResult("Classes are not rare", findings[1:]),
        CheckResult("Batches are well mixed", []),
        CheckResult("Files have the checksums that are listed", [], "no SHA256SUMS lists them"),
    ]
    table = Table(("split", "samples"), [("train", 3), ("val", 4)], "Splits")
    return Diagnosis("Data refused", checks, {"splits": table}, {"values": figure}, {"a.h5": "00"})


@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_violation_in_light_and_dark_on_desk_and_phone(opened, pages, kind):
    for viewport, scheme in ((DESK, "light"), (PHONE, "dark")):
        page = opened(pages[kind].as_uri(), viewport=viewport, color_scheme=scheme)
        page.evaluate(
            "document.querySelectorAll('details').forEach((one) => one.setAttribute('open', ''))"
        )
        page.evaluate(AXE)
        options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
        found = page.evaluate("(options) => axe.run(document, options)", options)
        assert len(found["passes"]) > 10
        told = [
            (entry["id"], node["html"][:120], node["failureSummary"])
            for entry in found["violations"]
            for node in entry["nodes"]
        ]
        assert told == []
        assert page.evaluate(REACHABLE) == []


@pytest.mark.parametrize("kind", KINDS[:-1])  # a watched page has the targets of a run's
def test_the_tab_key_walks_over_everything_and_is_always_seen(opened, pages, kind):
    page = opened(pages[kind].as_uri(), viewport=DESK, reduced_motion="reduce")
    for _ in range(400):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert focused["seen"], focused["name"]
    assert page.evaluate(MISSED) == []


def test_the_page_of_a_check_begins_with_its_checks(opened, pages):
    page = opened(pages["check"].as_uri(), viewport=DESK)
    states = page.locator("#checks .chip").all_inner_texts()
    assert states == ["refused", "warning", "passed", "skipped"]
    assert "train: x is NaN in 3 samples" in page.inner_text("#checks")
    assert page.locator("#checks").bounding_box()["y"] < 400
    first_table = page.locator("table").first.bounding_box()["y"]
    assert page.locator("#figures").bounding_box()["y"] < first_table

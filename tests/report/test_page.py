"""The report of runs and sweeps, opened in a real browser."""

from pathlib import Path

import pytest

from baryon.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGES = ("run", "comparison", "sweep")

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="session")
def pages(tmp_path_factory, write_run, write_sweep) -> dict[str, Path]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    one, other = write_run(folder / "one"), write_run(folder / "other", slope=0.03, steps=60)
    sweep = write_sweep(folder / "sweep")
    found = {name: folder / f"{name}.html" for name in PAGES}
    assert main(["report", f"run={one}", f"out={found['run']}"]) == 0
    assert main(["report", f"run={one}", f"run={other}", f"out={found['comparison']}"]) == 0
    assert main(["report", f"sweep={sweep}", f"out={found['sweep']}"]) == 0
    return found


def test_numbers_that_a_float_does_not_tell_apart_are_drawn(opened, write_run, tmp_path):
    """Ticks of steps that are smaller than the spacing of floats would never come to their end."""
    rate = {"samples_per_second": 1e300, "tflops_per_second": 1.0, "mfu": 1.0}
    where = {"kind": "train", "epoch": 1, "seconds": 9e14, **rate}
    steps = (2**53 - 2, 2**53 - 1)
    log = [{**where, "step": step, "loss": 1e17, "ce": 1e17} for step in steps]
    run = write_run(tmp_path / "run", log=log)
    assert main(["report", f"run={run}"]) == 0
    page = opened((run / "report.html").as_uri())
    page.click("#chart-loss button:text-is('log')")  # to the linear scale
    page.click("#chart-loss button:text-is('time')")
    assert page.complaints == []
    assert page.locator("#chart-loss svg text").count() > 0


def test_a_runs_own_report_opens_offline_with_all_its_pictures(opened, short_run):
    report = short_run / "report.html"
    page = opened(report.as_uri())
    assert page.complaints == []
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert asked == [report.as_uri()]
    widths = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
    assert len(widths) == 3
    assert all(width > 300 for width in widths)
    assert all(page.eval_on_selector_all("img", "images => images.map(i => i.alt)"))
    assert page.inner_text("h1") == "short"
    assert page.inner_text(".chip") == "finished"
    assert "area" in page.inner_text(".answer")
    assert page.inner_text("#command").startswith("baryon train dataset=hep_images")


@pytest.mark.parametrize("kind", PAGES)
def test_every_page_works_and_asks_for_nothing(opened, pages, kind):
    page = opened(pages[kind].as_uri())
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("data:")] == [pages[kind].as_uri()]
    assert page.locator(".chart svg path.line").count() >= 2
    assert pages[kind].stat().st_size < 300_000


@pytest.mark.parametrize("kind", PAGES)
def test_contrast_is_that_of_wcag_aa_in_light_and_dark(opened, pages, kind):
    page = opened(pages[kind].as_uri())
    for details in page.locator("details").all():
        details.evaluate("one => one.setAttribute('open', '')")
    for scheme, ground in (("light", "rgb(246, 247, 249)"), ("dark", "rgb(14, 18, 23)")):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        found = page.evaluate(CONTRAST)
        assert found["bad"] == []
        assert found["texts"] > 60


@pytest.mark.parametrize("kind", PAGES)
def test_it_fits_a_phone(opened, pages, kind):
    page = opened(pages[kind].as_uri(), viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for chart in page.locator(".chart").all():
        assert chart.bounding_box()["width"] <= 390


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_no_tile_stands_beside_a_gap(opened, pages, width):
    for kind in ("run", "sweep"):
        page = opened(pages[kind].as_uri(), viewport={"width": width, "height": 800})
        gap = page.eval_on_selector(
            ".tiles",
            "all => all.getBoundingClientRect().right"
            " - all.lastElementChild.getBoundingClientRect().right",
        )
        assert abs(gap) < 1


def test_the_head_of_a_long_table_stays_in_view(opened, pages):
    page = opened(pages["sweep"].as_uri(), viewport={"width": 1280, "height": 200})
    moved, below = page.eval_on_selector(
        ".scroll:has(#table-jobs)",
        """box => {
            box.scrollTop = 60;
            const head = box.querySelector("thead th").getBoundingClientRect();
            return [box.scrollTop, head.top - box.getBoundingClientRect().top];
        }""",
    )
    assert moved > 20
    assert abs(below) < 1


@pytest.mark.parametrize("kind", PAGES)
def test_it_can_be_read_without_seeing(opened, pages, kind):
    page = opened(pages[kind].as_uri())
    assert page.locator("h1").count() == 1
    assert page.eval_on_selector_all("thead th", "all => all.every(th => th.scope === 'col')")
    assert page.eval_on_selector_all("tbody th", "all => all.every(th => th.scope === 'row')")
    assert page.eval_on_selector_all("table", "all => all.every(t => t.caption || t.tHead)")
    assert page.eval_on_selector_all("img", "all => all.every(i => i.alt.length > 5)")
    assert page.eval_on_selector_all("svg[role=img]", "all => all.every(s => s.ariaLabel)")
    nameless = "all => all.filter(b => !(b.ariaLabel || b.textContent.trim() || b.labels?.length))"
    assert page.eval_on_selector_all("button, input", f"{nameless}.map(b => b.outerHTML)") == []
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_what_a_run_is_called_is_text_and_never_markup(opened, pages):
    page = opened(pages["run"].as_uri())
    assert "area 0.95 <i>of</i> one" in page.inner_text(".answer")
    assert "<b>train</b>.h5" in page.inner_text("#config")
    assert "<b>train</b>.h5" in page.inner_text("#command")


def test_what_differs_from_the_defaults_is_marked(opened, pages):
    page = opened(pages["run"].as_uri())
    changed = page.locator("#config tr.differs")
    assert changed.locator("th").all_inner_texts() == ["train.learning_rate", "dataset.train"]
    assert changed.locator("td.default").all_inner_texts() == ["0.001", "to be given"]
    assert not page.locator("#config tr.same").first.is_visible()
    assert changed.first.is_visible()
    page.uncheck("text=only what differs")
    assert page.locator("#config tr.same").first.is_visible()


def test_a_curve_tells_its_values_by_mouse_and_by_keys(opened, pages):
    page = opened(pages["run"].as_uri())
    chart = page.locator("#chart-loss")
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 15, box["y"] + 50)
    tip = chart.locator(".tip")
    assert tip.is_visible()
    assert tip.inner_text().splitlines()[0] == "step 40"
    assert "training 0.1353" in tip.inner_text()
    assert "validation 0.1489" in tip.inner_text()
    chart.locator("svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert "step 2" in tip.inner_text()
    assert chart.locator("[aria-live]").inner_text().startswith("step 2, training 0.9048")


def test_a_curve_changes_its_scale_and_axis_and_lines(opened, pages):
    page = opened(pages["run"].as_uri())
    chart = page.locator("#chart-loss")

    def ticks() -> list[str]:
        return chart.locator(".axis.end").all_text_contents()

    logarithmic = ticks()
    button = chart.get_by_role("button", name="log")
    assert button.get_attribute("aria-pressed") == "true"
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert ticks() != logarithmic
    assert "0" in ticks()
    chart.get_by_role("button", name="time").click()
    assert chart.locator(".label").first.text_content() == "seconds"  # four of them
    chart.locator(".legend button").first.click()
    assert chart.locator("g[data-series]").count() == 1
    box = chart.locator("svg").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 50)
    page.mouse.up()
    whole = chart.get_by_role("button", name="whole range")
    assert whole.is_visible()
    whole.click()
    assert not whole.is_visible()


def test_light_and_dark_can_be_chosen(opened, pages):
    page = opened(pages["run"].as_uri(), color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    assert page.evaluate(colour) != light
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    page.reload()
    assert page.get_attribute("#theme", "aria-pressed") == "true"


def test_tables_scroll_by_keyboard_and_buttons_are_named(opened, pages):
    for name in ("run", "sweep"):
        page = opened(pages[name].as_uri(), viewport={"width": 390, "height": 800})
        shut = "[...document.querySelectorAll('.scroll')].filter((e) => e.tabIndex < 0).length"
        assert page.evaluate(shut) == 0
        button = page.locator("#theme")
        assert button.inner_text() in (button.get_attribute("aria-label") or "Dark")


def test_figures_stay_on_white_paper_at_night_and_can_be_enlarged(opened, pages):
    page = opened(pages["run"].as_uri(), color_scheme="dark")
    paper = page.eval_on_selector(".enlarge", "one => getComputedStyle(one).backgroundColor")
    assert paper == "rgb(224, 224, 224)"
    page.locator(".enlarge").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#enlarged")
    assert dialog.is_visible()
    shown = dialog.locator("img").bounding_box()["width"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert dialog.get_by_role("button", name="full size").get_attribute("aria-pressed") == "true"
    natural = dialog.locator("img").evaluate("image => image.naturalWidth")
    assert dialog.locator("img").bounding_box()["width"] == natural >= shown
    assert dialog.locator("a[download]").get_attribute("href").startswith("data:image/png")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.locator(".enlarge").first.click()
    dialog.get_by_role("button", name="close").click()
    assert not dialog.is_visible()


def test_a_sweeps_table_is_sorted_by_keyboard(opened, pages):
    page = opened(pages["sweep"].as_uri())

    def jobs() -> list[str]:
        return page.locator("#table-jobs tbody th").all_text_contents()

    best_first = ["job 3 (best)", "job 2", "job 1", "job 0"]
    assert jobs() == [*best_first, "job 4", "job 5"]  # without a result: last
    head = page.locator("#table-jobs thead th", has_text="train.learning rate")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [job[:5] for job in jobs()] == ["job 3", "job 0", "job 1", "job 4", "job 2", "job 5"]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert jobs()[0] == "job 2"
    page.locator("#table-jobs thead button", has_text="auc").click()
    assert set(jobs()[-2:]) == {"job 4", "job 5"}  # without a value: always last
    assert page.locator("[aria-sort]").count() == 1


def test_a_sweep_shows_its_best_its_failures_and_its_coordinates(opened, pages):
    page = opened(pages["sweep"].as_uri())
    assert "Best: job 3 with auc 0.920 ± 0.010" in page.inner_text(".answer")
    assert "job 4. step 3: the loss is NaN" in page.inner_text("#jobs")
    assert page.locator("#parallel path.way").count() == 4
    assert page.locator("#parallel path.way.best").count() == 1
    assert page.locator("#parallel .pole").count() == 3
    scrolled = "one => one.scrollWidth - one.clientWidth"
    assert page.eval_on_selector("#parallel .scroll", scrolled) == 0
    page.locator("#parallel svg").focus()
    page.keyboard.press("ArrowRight")
    assert "job 3: train.learning_rate 1e-4, train.optimizer sgd, auc 0.92" in page.inner_text(
        "#parallel"
    )
    assert "chosen" in page.locator("tr[data-job='job 3']").get_attribute("class")
    href = page.locator("tr[data-job='job 3'] a").count()
    assert href == 0  # these runs have no page of their own
    assert page.locator("#chart-training g[data-series]").count() == 4


def test_a_comparison_says_what_differs(opened, pages, tmp_path, write_run):
    page = opened(pages["comparison"].as_uri())
    assert "validation loss" not in page.inner_text(".answer")
    assert "with auc 0.9" in page.inner_text(".answer")
    assert "±" in page.inner_text("#jobs")
    assert "the same" in page.inner_text("#differences")
    one = write_run(tmp_path / "a" / "one")
    other = write_run(
        tmp_path / "b" / "one", config={"model.filters": 16}, provenance={"python": "3.13.1"}
    )
    assert main(["report", f"run={one},{other}", f"out={tmp_path / 'page.html'}"]) == 0
    text = opened((tmp_path / "page.html").as_uri()).inner_text("#differences")
    assert "model.filters\t8\t16" in text
    assert "python\t3.11.7\t3.13.1" in text


def test_motion_is_left_out_for_who_wants_none(opened, pages):
    page = opened(pages["run"].as_uri(), reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page = opened(pages["run"].as_uri(), reduced_motion="no-preference")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "smooth"

"""Pages in a real browser: as wide as the screen, quiet, on their own, in light and dark."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import scored
from small import NINE, oracle

from nasbench_ws.evaluation.board import Leaderboard
from nasbench_ws.evaluation.board_page import board_page
from nasbench_ws.evaluation.board_row import Row
from nasbench_ws.evaluation.catalogue import SCALES
from nasbench_ws.evaluation.reproduction.claims_page import claims_page
from nasbench_ws.evaluation.reproduction.finding import Finding
from nasbench_ws.report.results import results_page
from nasbench_ws.report.search import search_page
from nasbench_ws.report.table import table_page
from nasbench_ws.search.compare import compare
from nasbench_ws.search.exact import exhaustive
from nasbench_ws.search.run import search_all

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WIDTHS = {"phone": 360, "desk": 1280}

ABSENT = "no chromium and chromedriver here; Debian has them as chromium and chromium-driver"
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=ABSENT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def pages(make: Any, tiny: Any, tmp_path: Path) -> dict[str, Path]:
    long = make(strategy="groups:similar:2-with-quite-a-long-name-of-its-own")
    made = {
        "results": results_page([make(), long], tiny.table),
        "table": table_page(tiny.table),
    }
    for name, text in made.items():
        (tmp_path / f"{name}.html").write_text(text)
    return {name: tmp_path / f"{name}.html" for name in made}


@pytest.mark.slow  # CI runs it
def test_pages_in_a_browser(browser: Any, pages: dict[str, Path]) -> None:
    for name, path in pages.items():
        for device, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                see(browser, path, width, scheme)
                where = f"{name} on a {device}, {scheme}"
                complaints = browser.get_log("browser")
                assert complaints == [], where
                asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
                urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
                assert [url for url in urls if not url.startswith(("file:", "data:"))] == [], where
                assert str(path) in urls[0]
                wide, screen = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
                assert wide <= screen == width, where
                shapes = browser.execute_script(
                    "return [...document.querySelectorAll('figure > svg')].map(s => s.getBoundingClientRect().height)"
                )
                assert len(shapes) == path.read_text().count("<svg"), where
                assert all(height > 60 for height in shapes), where
                narrow = browser.execute_script(
                    "return Math.min(999, ...[...document.querySelectorAll('td:first-child')]"
                    ".filter(c => getComputedStyle(c).display == 'table-cell').map(c => c.clientWidth))"
                )
                assert narrow > 90, f"{where}: names in tables are broken into letters"
                titles = browser.execute_script("return [...document.querySelectorAll('h2')].map(h => h.textContent)")
                assert len(titles) >= 5, where
                assert all(titles), where
                ink, paper = browser.execute_script(
                    "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
                )
                assert (lightness(paper) > lightness(ink)) == (scheme == "light"), where
                label = browser.execute_script("return getComputedStyle(document.querySelector('svg text')).fill")
                assert abs(lightness(label) - lightness(paper)) > 120, f"{where}: text in figures cannot be read"


def see(browser: Any, path: Path, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(f"file://{path}")


def lightness(colour: str) -> float:
    """0 to 255, of `rgb(r, g, b)`."""
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


@pytest.fixture
def boards(make: Any, tiny: Any, tmp_path: Path) -> dict[str, Path]:
    """The three pages whose tables sort and filter, of few rows."""
    results = {"a <b>": make(), "c": make(scores={"recalibrate:64": scored(5)})}
    some = [
        Row(1, "counts", "ranker", "", 0.7, math.nan, (0.6, 0.8), 1, math.nan, 0.0),
        Row(2, "a <b>", "super-net", "running", 0.4, 0.1, (0.1, 0.6), 2, 0.3, 2e12, given=True, files=("a <b>",)),
        Row(3, "c", "super-net", "recalibrate:64", 0.2, 0.1, (math.nan, math.nan), 2, 0.1, 4e12, files=("c",)),
    ]
    board = Leaderboard("tiny", 3, "kendall_tau", "child-updates", 6400, 0.9, tuple(some), results)
    found = [
        Finding(1, "a figure", "0.4", 0.3, 0.1, 0.5, 5),
        Finding(1, "a difference", "less", 0.2, 0.1, 0.3, 5, 1, 0.01, 0.2, 0.02, "holds"),
        Finding(4, "of <others>", "-", -0.2, -0.3, 0.1, 3, 1, 0.4, 0.2, 0.9, "undecided", "the control fails"),
    ]
    world = oracle(NINE, runs=2)
    searched = search_all(["local", "random", "random-without"], world, 4)
    compared = [searched["local"], searched["random"]], searched["random-without"]
    made = {
        "board": board_page(board, tiny.table, [replace(board, match="steps", rows=(some[2],))]),
        "claims": claims_page(found, SCALES["smoke"], tiny.table),
        "search": search_page(*compared, compare(*compared), exhaustive(world)),
    }
    for name, text in made.items():
        (tmp_path / f"{name}.html").write_text(text)
    return {name: tmp_path / f"{name}.html" for name in made}


ASKED = {  # the column to sort by, what is then on top and below; the words to look for, the choice, and who is left
    "board": (4, "counts", "c", "A", "", "", ["a <b>"]),
    "claims": (2, "a figure", "of <others>", "", "select[data-is='6']", "holds", ["a difference"]),
    "search": (1, "local", "random", "loc", "", "", ["local"]),
}


@pytest.mark.slow  # CI runs it
def test_tables_sort_and_filter_and_do_without_scripts(browser: Any, boards: dict[str, Path]) -> None:
    for name, path in boards.items():
        column, top, last, words, choice, value, left = ASKED[name]
        for width, scheme in ((390, "dark"), (1280, "light")):
            see(browser, path, width, scheme)
            where = f"{name} at {width}"
            assert browser.get_log("browser") == [], where
            wide, screen = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= screen == width, where
            label = browser.execute_script("return getComputedStyle(document.querySelector('.board td')).color")
            paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert abs(lightness(label) - lightness(paper)) > 120, where
        before = names(browser)
        click(browser, column)
        ordered = names(browser)
        assert (ordered[0], ordered[-1]) == (top, last), name
        click(browser, column)
        assert names(browser)[0] == last, name
        browser.execute_script(
            "const f = document.querySelector('.filter'); f.querySelector('[data-find]').value = arguments[0];"
            "if (arguments[1]) f.querySelector(arguments[1]).value = arguments[2];"
            "f.dispatchEvent(new Event('input'))",
            words, choice, value,
        )  # fmt: skip
        assert names(browser) == left, name
        count = browser.execute_script("return document.querySelector('.count').textContent")
        assert count == f"{len(left)} of {len(before) + (name == 'board')} rows"  # one is of another match
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            see(browser, path, 1280, "light")
            assert '<form class="filter" hidden>' in path.read_text()
            plain = [row.text for row in browser.find_elements("css selector", ".board .n") if row.tag_name == "td"]
            assert plain[: len(before)] == before, name
            assert not browser.find_element("css selector", ".filter").is_displayed()
        finally:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.slow  # CI runs it
def test_the_leaderboard_shows_its_match_first_and_the_others_when_asked(browser: Any, boards: dict[str, Path]) -> None:
    see(browser, boards["board"], 1280, "light")
    assert names(browser) == ["counts", "a <b>", "c"]
    for match, left in {"steps": ["counts", "c"], "": ["counts", "a <b>", "c", "c"]}.items():  # what has none is of all
        browser.execute_script(
            "const f = document.querySelector('.filter'); f.querySelector('[data-is=\"3\"]').value = arguments[0];"
            "f.dispatchEvent(new Event('input'))", match,
        )  # fmt: skip
        assert names(browser) == left


def names(browser: Any) -> list[str]:
    """Of the rows that are shown, from top to bottom, in the first table that sorts."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelector('.board').tBodies[0].rows].filter(r => !r.hidden)"
        ".map(r => r.querySelector('.n').textContent)"
    )
    return found


def click(browser: Any, column: int) -> None:
    browser.execute_script(f"document.querySelector('.board').tHead.rows[0].cells[{column}].firstChild.click()")

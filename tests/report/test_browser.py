"""Pages in a real browser: as wide as the screen, quiet, on their own, in light and dark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nasbench_ws.report.results import results_page
from nasbench_ws.report.table import table_page

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
                    "return Math.min(...[...document.querySelectorAll('td:first-child')].map(c => c.clientWidth))"
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

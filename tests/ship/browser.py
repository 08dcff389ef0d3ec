"""Debian's Chromium, without a window, for looking at pages as a reader would."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.debian import installed

WIDTHS = (1280, 390)
_DRAWN_MS = 20_000


def _chromium() -> Path | None:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return Path(found) if found else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser; `Unavailable` where there is none and none can be installed."""
    program = installed("chromium", _chromium)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, path: Path, width: int) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page in a window of that width, all its charts drawn, and what it complained of."""
    page, said = browser.new_page(viewport={"width": width, "height": 900}), list[str]()

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.resolve().as_uri())
    page.wait_for_function(
        "[...document.querySelectorAll('[data-figure]')].filter(box => box.offsetParent)"
        ".every(box => box.querySelector('svg.main-svg'))",
        timeout=_DRAWN_MS,
    )
    try:
        yield page, said
    finally:
        page.close()


def column(page: Page, place: int) -> list[str]:
    """Return the visible sortable table's cells of one column, from the top."""
    script = (
        "place => [...[...document.querySelectorAll('table.sortable')].find(one => one.offsetParent)"
        ".tBodies[0].rows].map(row => row.cells[place].textContent)"
    )
    found: list[str] = page.evaluate(script, place)
    return found


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found

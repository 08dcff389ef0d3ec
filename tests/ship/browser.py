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


def wrapped_dates(page: Page) -> list[str]:
    """Return the visible cells that begin with a day or month and take more than one line."""
    script = (
        "() => [...document.querySelectorAll('td')].filter(cell => cell.offsetParent"
        " && /^\\d{4}-\\d{2}/.test(cell.textContent)).filter(cell => {"
        " const range = document.createRange(); range.selectNodeContents(cell);"
        " return new Set([...range.getClientRects()].map(one => Math.round(one.top))).size > 1;"
        " }).map(cell => cell.textContent)"
    )
    found: list[str] = page.evaluate(script)
    return found


def cut_cards(page: Page) -> list[str]:
    """Return the headings of visible cards that hide what is wider than they are, out of any reach."""
    script = (
        "() => [...document.querySelectorAll('.card')].filter(card => card.offsetParent"
        " && card.scrollWidth > card.clientWidth).map(card => card.querySelector('h2').textContent)"
    )
    found: list[str] = page.evaluate(script)
    return found


def covered_labels(page: Page) -> list[str]:
    """Return the labels of horizontal axes that a legend lies upon, in the visible charts."""
    script = """() => [...document.querySelectorAll('.js-plotly-plot')].filter(box => box.offsetParent)
        .flatMap(box => {
            const legend = box.querySelector('.legend');
            if (!legend) { return []; }
            const over = legend.getBoundingClientRect();
            return [...box.querySelectorAll('.xtick text')].filter(label => {
                const at = label.getBoundingClientRect();
                return at.right > over.left && at.left < over.right
                    && at.bottom > over.top + 1 && at.top < over.bottom - 1;
            }).map(label => label.textContent);
        })"""
    found: list[str] = page.evaluate(script)
    return found


def plot_heights(page: Page) -> list[int]:
    """Return the height in pixels of the drawn area of each visible chart."""
    script = (
        "() => [...document.querySelectorAll('.js-plotly-plot')].filter(box => box.offsetParent)"
        ".map(box => Math.round(box._fullLayout._size.h))"
    )
    found: list[int] = page.evaluate(script)
    return found

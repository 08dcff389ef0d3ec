"""The pages in a real browser: nothing complains, charts are drawn, tables sort, nothing sticks out."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from carry.page import document
from carry.page_figures import figure_layout
from carry.page_tables import html_table
from carry.walkforward.page import walk_page
from hedge_leg.statement_page import Origin, statement_page
from hedge_leg.statement_periods import Window, cells
from tests.carry_results import synthetic
from tests.carry_results.test_page import make_page
from tests.carry_search import fake, walks
from tests.debian import Unavailable
from tests.hedge_leg.fakes import START_MS
from tests.hedge_leg.statements import carries
from tests.ship.browser import (
    WIDTHS,
    chromium,
    column,
    covered_labels,
    cut_cards,
    opened,
    overflow,
    plot_heights,
    wrapped_dates,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    try:
        with chromium() as found:
            yield found
    except Unavailable as reason:
        pytest.skip(f"no Chromium: {reason}")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write one page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    synthetic.write_market(folder / "data", ("BTC/USDT:USDT", "ETH/USDT:USDT"))
    make_page(folder / "data", folder)
    walk = folder / "walk.html"
    walk.write_text(walk_page({"sample_market": True, "pairs": [fake.PAIR], **walks.run(folder / "walk")}))
    statement, now_ms = folder / "statement.html", START_MS + 50 * 86_400_000
    found = [cell for one in carries() for cell in cells(one, Decimal("0.001"), Window(now_ms))]
    origin = Origin("hedge_leg.dryrun.sqlite", dry_run=True, sample=True, made_ms=now_ms)
    statement.write_text(statement_page(found, origin))
    return {"report": folder / "p.html", "walk-forward": walk, "statement": statement}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["report", "walk-forward", "statement"])
def test_page_opens_draws_and_fits(browser: Browser, pages: dict[str, Path], kind: str, width: int) -> None:
    with opened(browser, pages[kind], width) as (page, said):
        drawn = page.locator("svg.main-svg").count()
        assert drawn > 0
        assert overflow(page) <= 0
        if page.locator("select#strategy").count():
            page.select_option("select#strategy", index=page.locator("select#strategy option").count() - 1)
            assert page.locator("section:visible svg.main-svg").count() > 0
        assert said == []


@pytest.mark.parametrize("kind", ["report", "walk-forward", "statement"])
def test_a_click_on_a_header_sorts(browser: Browser, pages: dict[str, Path], kind: str) -> None:
    with opened(browser, pages[kind], WIDTHS[0]) as (page, said):
        header = page.locator("table.sortable:visible th").first
        before = column(page, 0)
        header.click()
        upward = column(page, 0)
        header.click()
        assert column(page, 0) == upward[::-1] != upward
        assert sorted(before) == sorted(upward)
        assert said == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["report", "walk-forward", "statement"])
def test_everything_on_a_page_can_be_read(
    browser: Browser, pages: dict[str, Path], kind: str, width: int
) -> None:
    with opened(browser, pages[kind], width) as (page, _said):
        assert wrapped_dates(page) == []
        assert cut_cards(page) == []
        assert covered_labels(page) == []
        assert min(plot_heights(page)) >= 170


@pytest.mark.parametrize("name", ["net", "of net"])
def test_amounts_sort_by_their_value_and_what_is_missing_stays_last(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    cells = ["-1,200.50", "9.00", "-", "-0.30", "1,050.00", "10.00"]
    ordered = ["-1,200.50", "-0.30", "9.00", "10.00", "1,050.00"]
    if name == "of net":
        cells, ordered = ([f"{one} %" if one != "-" else one for one in many] for many in (cells, ordered))
    path = tmp_path / "sorted.html"
    table = html_table(["day", name], [["2026-11-01", one] for one in cells], sortable=True)
    path.write_text(document("sorted", [f'<div id="overview">{table}</div>'], {}))
    with opened(browser, path, WIDTHS[0]) as (page, said):
        page.locator("th").last.click()
        assert column(page, 1) == [*ordered, "-"]
        page.locator("th").last.click()
        assert column(page, 1) == [*ordered[::-1], "-"]
        assert page.locator("th").last.get_attribute("aria-sort") == "descending"
        assert said == []


def test_a_legend_leaves_room_for_its_chart_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "many.html"
    traces = [
        {"type": "scatter", "name": f"A strategy {place}", "x": [0, 1], "y": [0, 1]} for place in range(8)
    ]
    box = '<div id="overview"><div data-figure="many"></div></div>'
    path.write_text(document("many", [box], {"many": {"data": traces, "layout": figure_layout(420)}}))
    with opened(browser, path, WIDTHS[1]) as (page, said):
        assert min(plot_heights(page)) >= 250
        assert said == []


def test_a_page_that_fails_is_found_out(browser: Browser, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text("<p style='width: 2000px'>wide</p><script>nothing.here()</script>")
    with opened(browser, wrong, WIDTHS[1]) as (page, said):
        assert overflow(page) > 0
        assert any("nothing is not defined" in text for text in said)

"""The HTML page: self-contained, escaped, honest about its market, small."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carry.page_figures import thin
from carry.report_tables import number, percent

from . import synthetic
from .test_report_cli import carry_trade, reconciled, run

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'


class Page(HTMLParser):
    """Collects what a browser would load and show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        """Record script or text."""
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data
        else:
            self.text.append(data)


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    """Return a directory with ten days of two pairs."""
    synthetic.write_market(tmp_path / "data", ("BTC/USDT:USDT", "ETH/USDT:USDT"))
    return tmp_path / "data"


def make_page(datadir: Path, folder: Path, name: str = "FundingCarry", reason: str = "roll") -> str:
    """Return the page of a small backtest with one trading and one idle strategy."""
    trades = [carry_trade(datadir, 5, 40, reason), carry_trade(datadir, 50, 100)]
    strategies = {name: synthetic.strategy(trades), "Idle": synthetic.strategy([])}
    result = reconciled(datadir, folder, strategies)
    answer = run("report", "--result", result, "--datadir", datadir, "--page", folder / "p.html")
    assert answer.exit_code == 0, answer.output
    return (folder / "p.html").read_text(encoding="utf-8")


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def test_page_loads_nothing_from_outside(datadir: Path, tmp_path: Path) -> None:
    text = make_page(datadir, tmp_path)
    page = parsed(text)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "base", "object", "embed", "form"}
        assert not {"src", "href", "srcset", "action", "data"} & set(attributes), (tag, attributes)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None and "default-src 'none'" in policy and "http" not in policy
    assert any("plotly.js v" in script for script in page.scripts)
    assert len(text) < 15_000_000


def test_text_from_files_is_shown_and_never_run(datadir: Path, tmp_path: Path) -> None:
    page = parsed(make_page(datadir, tmp_path, name=HOSTILE, reason=HOSTILE))
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(page.scripts) == 3
    assert HOSTILE in "".join(page.text)
    assert "<" not in page.scripts[0]
    assert "<img" not in json.dumps(json.loads(page.scripts[0]))


def test_figures_that_the_page_draws_are_all_there(datadir: Path, tmp_path: Path) -> None:
    page = parsed(make_page(datadir, tmp_path))
    figures = json.loads(page.scripts[0])["figures"]
    wanted = [a[key] for _, a in page.tags for key in ("data-figure", "data-markers") if key in a]
    assert len(wanted) == 5
    assert set(wanted) == set(figures)
    entries, exits = figures["s0-marks-BTC/USDT:USDT"]
    assert sorted(entries["x"]) == ["2024-01-01T05:00", "2024-01-03T02:00"]
    assert sorted(exits["x"]) == ["2024-01-02T16:00", "2024-01-05T04:00"]
    steps = figures["s0-parts"]["data"][0]
    assert sum(steps["y"][:-1]) == pytest.approx(steps["y"][-1], abs=0.05)
    assert np.isfinite(figures["equity"]["data"][0]["y"]).all()


def test_trades_are_listed_in_a_sortable_table(datadir: Path, tmp_path: Path) -> None:
    text = make_page(datadir, tmp_path)
    table = re.search(r'<table class="sortable">(.*?)</table>', text, re.S)
    assert table is not None
    assert table[1].count("<tr>") == 1 + 2
    assert "2024-01-01 05:00" in table[1] and "BTC/USDT:USDT" in table[1]


def test_idle_strategy_is_listed_as_no_trades_without_a_section(datadir: Path, tmp_path: Path) -> None:
    page = parsed(make_page(datadir, tmp_path))
    assert "no trades" in page.text
    assert sum(tag == "section" for tag, _ in page.tags) == 1


def test_sample_market_stands_on_the_page_only_if_it_is_one(datadir: Path, tmp_path: Path) -> None:
    assert "sample market, not real" not in make_page(datadir, tmp_path)
    (datadir / "SAMPLE_MARKET.json").write_text("{}")
    text = make_page(datadir, tmp_path)
    assert text.count("sample market, not real") >= 2
    assert 'class="banner sample"' in text


@given(arrays(np.float64, st.integers(0, 400), elements=st.floats(-1e6, 1e6) | st.just(float("nan"))))
def test_thinning_keeps_ends_and_extremes_and_drops_nan(
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> None:
    rows = thin(values, limit=20)
    known = values[~np.isnan(values)]
    assert rows.size <= 22 or known.size <= 20
    assert not np.isnan(values[rows]).any()
    if known.size:
        assert values[rows].min() == known.min() and values[rows].max() == known.max()
        assert values[rows][0] == known[0] and values[rows][-1] == known[-1]


def test_a_small_loss_is_not_shown_as_minus_nothing() -> None:
    assert [number(-0.04), number(-0.06), number(None)] == ["0.0", "-0.1", "-"]
    assert [percent(-0.00004), percent(-0.00006), percent(None)] == ["0.00 %", "-0.01 %", "-"]

"""The report as one HTML page that needs nothing else: plotly.js, data, style and script are inside it.

The page forbids itself every network access (Content-Security-Policy), so it opens offline and leaks
nothing. All text from files goes through `html.escape`; data for the script is JSON without "<".
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from carry.costs import CostModel
from carry.page_assets import SCRIPT, STYLE
from carry.page_figures import (
    MARKED_TRADES,
    equity_figure,
    ladder_figure,
    marker_traces,
    market_figure,
    waterfall_figure,
)
from carry.page_tables import groups_card, overview_card, trades_card
from carry.report import Report, StrategyResult
from carry.report_json import finite, write_text
from carry.report_tables import SAMPLE_NOTE, describe, money, residual_warning
from carry.tape import iso

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; form-action 'none'; base-uri 'none'"
)


def write_page(report: Report, path: Path) -> None:
    """Write the page; UsageError if the place cannot be written."""
    write_text(page_html(report), path)


def page_html(report: Report) -> str:
    """Return the whole page."""
    figures: dict[str, Any] = {"equity": equity_figure(report)}
    sections = [
        _strategy_section(report, strategy, place, figures)
        for place, strategy in enumerate(report.strategies)
        if strategy.trades
    ]
    title = "Funding carry report" + (f" - {SAMPLE_NOTE}" if report.sample_market else "")
    body = [_header(report), "<main>", overview_card(report), _chooser(report) if sections else ""]
    return document(title, [*body, *sections, _footer(report), "</main>"], figures)


def document(title: str, body: Sequence[str], figures: Mapping[str, Any]) -> str:
    """Return one self-contained page: `body` is HTML, `figures` what its data-figure boxes draw."""
    data = json.dumps(finite({"figures": figures}), separators=(",", ":"), allow_nan=False)
    safe = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            *body,
            f'<script type="application/json" id="page-data">{safe}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{SCRIPT}</script></body></html>",
        ]
    )


def period(report: Report) -> tuple[int, int]:
    """Return the first and last candle open over all strategies, ns."""
    exported = [strategy.exported for strategy in report.strategies]
    return min(one.begin_ns for one in exported), max(one.end_ns for one in exported)


def _header(report: Report) -> str:
    """Return title, facts and the banners that must not be overlooked."""
    first = report.strategies[0].exported
    detail = f" (fills in {first.timeframe_detail})" if first.timeframe_detail else ""
    begin, end = period(report)
    facts = {
        "period": f"{iso(begin)[:10]} to {iso(end)[:10]} (UTC)",
        "capital of both legs": f"{money(first.starting_balance)} {first.stake_currency}",
        "timeframe": first.timeframe + detail,
        "costs": _costs_text(report.costs),
        "export": report.export.path.name,
    }
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items()
    )
    banners = ""
    if report.sample_market:
        banners += (
            f'<div class="banner sample">{SAMPLE_NOTE}: generated prices, no statement about any market</div>'
        )
    if not report.reconciles:
        banners += f'<div class="banner alarm">{escape(residual_warning(report))}</div>'
    if not report.export.configured:
        banners += (
            '<div class="banner note">The export holds no hedge_leg block: default costs were used.</div>'
        )
    return (
        "<header><h1>Funding carry: short perpetual, long spot</h1><p>Both legs of every trade, "
        f'recomputed from fills and recorded candles</p><dl class="facts">{items}</dl></header>{banners}'
    )


def _costs_text(costs: CostModel) -> str:
    text = (
        f"perp {costs.perp_fee_rate * 1e4:g} + spot {costs.spot_fee_rate * 1e4:g} bps fee, slippage "
        f"{costs.perp_slippage_bps:g} + {costs.spot_slippage_bps:g} bps per side"
    )
    text += f", borrow {costs.borrow_daily_bps:g} bps/day" if costs.borrow_daily_bps else ""
    return text + (f", fixed {costs.fixed_per_trade:g} per trade" if costs.fixed_per_trade else "")


def _chooser(report: Report) -> str:
    options = "".join(
        f'<option value="s{place}">{escape(describe(strategy))}</option>'
        for place, strategy in enumerate(report.strategies)
        if strategy.trades
    )
    label = '<label for="strategy">Strategy</label>'
    return f'<div class="chooser">{label}<select id="strategy">{options}</select></div>'


def _strategy_section(report: Report, strategy: StrategyResult, place: int, figures: dict[str, Any]) -> str:
    """Return one strategy's cards and add its figures to `figures`."""
    key = f"s{place}"
    figures[f"{key}-parts"] = waterfall_figure(strategy)
    figures[f"{key}-ladder"] = ladder_figure(strategy)
    name = escape(strategy.name) + ('<span class="tag">control</span>' if strategy.is_control else "")
    cards = [
        f'<div class="pair"><div class="card"><h2>{name}: profit by part</h2>'
        f'<div data-figure="{key}-parts"></div></div>'
        f'<div class="card"><h2>Net at other costs</h2><div data-figure="{key}-ladder"></div>'
        '<p class="hint">All-in cost of each fill\'s raw value, no slippage; funding, borrow and fixed as '
        "booked.</p></div></div>",
        groups_card(strategy),
    ]
    pairs = sorted({result.trade.pair for result in strategy.trades})
    cards += [_market_card(report, strategy, pair, key, figures) for pair in pairs]
    cards.append(trades_card(strategy))
    return f'<section data-strategy="{key}" hidden>{"".join(cards)}</section>'


def _market_card(
    report: Report, strategy: StrategyResult, pair: str, key: str, figures: dict[str, Any]
) -> str:
    """Return the card of one pair: basis, funding, entries and exits."""
    closes = report.closes[pair, strategy.exported.timeframe]
    tape = report.tapes[pair, strategy.exported.finest_timeframe]
    shared = f"market-{pair}-{strategy.exported.timeframe}"
    if shared not in figures:
        figures[shared] = market_figure(closes, tape, *period(report))
    trades = [result for result in strategy.trades if result.trade.pair == pair]
    figures[f"{key}-marks-{pair}"] = marker_traces(trades, closes)
    shown = f", the {MARKED_TRADES} largest of {len(trades)} marked" if len(trades) > MARKED_TRADES else ""
    return (
        f'<div class="card"><h2>{escape(pair)}: basis, funding, entries and exits{shown}</h2>'
        f'<div data-figure="{escape(shared)}" data-markers="{escape(f"{key}-marks-{pair}")}"></div></div>'
    )


def _footer(report: Report) -> str:
    leverage = f" Perp leverage {report.export.leverage:g}." if report.export.leverage else ""
    return (
        "<footer>net = basis + funding - perp fees - spot fees - borrow - fixed. Received is positive."
        f"{leverage} Largest residual against freqtrade's profit: {report.worst_residual:.1e}.</footer>"
    )

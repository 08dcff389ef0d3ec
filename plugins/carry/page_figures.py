"""Figures of the report's page as plotly's JSON: plain dictionaries, drawn by plotly.js in the browser.

Series are thinned to a few thousand points so that the page stays small; minima and maxima are kept. Any text
that comes from a file is escaped here, because plotly.js renders a subset of HTML in names and hovers.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from carry.report import Report, StrategyResult, TradeResult
from carry.report_tables import describe
from carry.statistics import cost_ladder
from carry.tape import Closes, Floats, Ints, Tape

Figure: TypeAlias = dict[str, Any]
Trace: TypeAlias = dict[str, Any]

SERIES_POINTS = 3000
MARKED_TRADES = 1500  # per pair and strategy, the largest |net|: more markers hide each other
PALETTE = ("#0b6e99", "#d1603d", "#2f8f5b", "#7a4fa3", "#b8860b", "#c2356b", "#3f51b5", "#5d6d3a")
CONTROL_COLOURS = ("#7c8794", "#b0b8c1")
_GAIN, _LOSS, _TOTAL = "#2f8f5b", "#c0492f", "#0b3d5c"
_GRID = "#e8ecf0"


def thin(values: Floats, limit: int = SERIES_POINTS) -> Ints:
    """Return rows to keep, at most about `limit`: first, last, and the extremes of equal stretches.

    NaN rows are never kept: they separate nothing that a line may bridge.
    """
    known = np.flatnonzero(~np.isnan(values))
    if known.size <= limit:
        return known.astype(np.int64)
    edges = np.linspace(0, known.size, limit // 2 + 1).astype(np.int64)
    keep = {int(known[0]), int(known[-1])}
    for begin, end in pairwise(edges.tolist()):
        stretch = known[begin:end]
        keep.add(int(stretch[np.argmin(values[stretch])]))
        keep.add(int(stretch[np.argmax(values[stretch])]))
    return np.array(sorted(keep), dtype=np.int64)


def minutes(at_ns: Ints) -> list[str]:
    """Return instants as ISO text to the minute, UTC, as plotly's date axes read them."""
    stamps = at_ns.astype("datetime64[ns]").astype("datetime64[m]")
    return [str(stamp) for stamp in stamps]


def colours(report: Report) -> dict[str, str]:
    """Return one colour per strategy: candidates strong, controls grey."""
    chosen: dict[str, str] = {}
    for control, palette in ((False, PALETTE), (True, CONTROL_COLOURS)):
        names = sorted(s.name for s in report.strategies if s.is_control is control)
        chosen.update({name: palette[place % len(palette)] for place, name in enumerate(names)})
    return chosen


def figure_layout(height: int, **changes: Any) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 64, "r": 20, "t": 34, "b": 40},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {
            "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif",
            "size": 12,
            "color": "#25313c",
        },
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": "#c5ced6", "font": {"color": "#25313c"}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "tracegroupgap": 0},
    }
    layout.update(changes)
    return layout


def figure_axis(title: str = "", **changes: Any) -> dict[str, Any]:
    axis = {
        "title": {"text": title, "standoff": 8},
        "gridcolor": _GRID,
        "linecolor": "#c5ced6",
        "zerolinecolor": "#aab4be",
        "automargin": True,
    }
    return {**axis, **changes}


def _stacked(top: str, bottom: str, split: float) -> dict[str, Any]:
    """Return the axes of two panels above each other that share their time axis."""
    return {
        "xaxis": figure_axis(type="date", anchor="y2", domain=[0, 1]),
        "yaxis": figure_axis(top, domain=[split + 0.04, 1]),
        "yaxis2": figure_axis(bottom, domain=[0, split - 0.04]),
    }


def equity_figure(report: Report) -> Figure:
    """Return equity (percent of capital gained) above drawdown (percent), all strategies together."""
    traces: list[Trace] = []
    palette = colours(report)
    for strategy in report.strategies:
        curve = strategy.curve
        if curve.equity.size == 0:
            continue
        line = {
            "color": palette[strategy.name],
            "width": 1.8,
            "dash": "dot" if strategy.is_control else "solid",
        }
        name = escape(describe(strategy))
        panels: tuple[tuple[Floats, str, bool, Trace], ...] = (
            ((curve.equity / curve.start - 1.0) * 100.0, "y", True, {}),
            (curve.drawdown * -100.0, "y2", False, {"fill": "tozeroy", "fillcolor": f"{line['color']}14"}),
        )
        for values, axis, legend, style in panels:
            rows = thin(values)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": legend,
                    "x": minutes(curve.at_ns[rows]),
                    "y": np.round(values[rows], 4).tolist(),
                    "yaxis": axis,
                    "line": line,
                    "hovertemplate": "%{y:.2f} %",
                    **style,
                }
            )
    axes = _stacked("return on capital, %", "drawdown, %", 0.32)
    return {"data": traces, "layout": figure_layout(520, hovermode="x unified", **axes)}


def waterfall_figure(strategy: StrategyResult) -> Figure:
    """Return the profit built up from its parts; price P&L at raw prices, slippage its own step."""
    parts = strategy.parts
    steps = [
        ("basis (raw)", parts.basis_pnl + parts.slippage),
        ("funding", parts.funding_pnl),
        ("slippage", -parts.slippage),
        ("perp fees", -parts.fees_perp),
        ("spot fees", -parts.fees_spot),
        ("borrow", -parts.borrow),
        ("fixed", -parts.fixed),
    ]
    steps = [step for step in steps if step[1] != 0.0 or step[0] in ("basis (raw)", "funding")]
    values = [value for _, value in steps] + [parts.net]
    trace = {
        "type": "waterfall",
        "x": [name for name, _ in steps] + ["net"],
        "y": [round(value, 2) for value in values],
        "measure": ["relative"] * len(steps) + ["total"],
        "text": [f"{value:,.0f}" for value in values],
        "textposition": "outside",
        "cliponaxis": False,
        "increasing": {"marker": {"color": _GAIN}},
        "decreasing": {"marker": {"color": _LOSS}},
        "totals": {"marker": {"color": _TOTAL}},
        "connector": {"line": {"color": "#aab4be", "width": 1}},
        "hovertemplate": "%{x}: %{y:,.2f}<extra></extra>",
    }
    layout = figure_layout(
        360,
        xaxis=figure_axis(),
        yaxis=figure_axis(escape(strategy.exported.stake_currency)),
        showlegend=False,
    )
    return {"data": [trace], "layout": layout}


def ladder_figure(strategy: StrategyResult) -> Figure:
    """Return net profit at each rung of the cost ladder."""
    rungs = cost_ladder(strategy)
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [rung.label for rung in rungs],
        "x": [round(rung.net_pnl, 2) for rung in rungs],
        "text": [f"{rung.net_pnl:,.0f}" for rung in rungs],
        "textposition": "auto",
        "marker": {"color": [_GAIN if rung.net_pnl >= 0.0 else _LOSS for rung in rungs]},
        "hovertemplate": "%{y}: %{x:,.2f}<extra></extra>",
    }
    layout = figure_layout(
        360,
        xaxis=figure_axis(f"net, {escape(strategy.exported.stake_currency)}"),
        yaxis=figure_axis(autorange="reversed"),
        showlegend=False,
    )
    return {"data": [trace], "layout": layout}


def basis_bps(closes: Closes) -> Floats:
    """Return the basis (perp / spot - 1) in bps at each close, NaN where the spot did not trade."""
    return (closes.perp_close / closes.spot_close - 1.0) * 1e4


def market_figure(closes: Closes, tape: Tape, begin_ns: int, end_ns: int) -> Figure:
    """Return a pair's basis at candle closes above its funding per settlement, bps, within [begin, end]."""

    def within(values: Floats, at_ns: Ints) -> Floats:
        return np.where((at_ns >= begin_ns) & (at_ns <= end_ns), values, np.nan)

    basis = within(basis_bps(closes), closes.close_ns)
    rows = thin(basis)
    rate = within(tape.settle_rate * 1e4, tape.settle_ns)
    settled = thin(rate)
    line = {"type": "scatter", "mode": "lines", "showlegend": False}
    basis_trace = {
        **line,
        "x": minutes(closes.close_ns[rows]),
        "y": np.round(basis[rows], 2).tolist(),
        "line": {"color": "#7fa6c2", "width": 1},
        "hovertemplate": "basis %{y:.1f} bps<extra></extra>",
    }
    funding_trace = {
        **line,
        "x": minutes(tape.settle_ns[settled]),
        "y": np.round(rate[settled], 4).tolist(),
        "yaxis": "y2",
        "line": {"color": "#b8860b", "width": 1, "shape": "hv"},
        "hovertemplate": "funding %{y:.2f} bps<extra></extra>",
    }
    axes = _stacked("basis, bps", "funding, bps", 0.36)
    return {"data": [basis_trace, funding_trace], "layout": figure_layout(440, hovermode="closest", **axes)}


def marker_traces(trades: Sequence[TradeResult], closes: Closes) -> list[Trace]:
    """Return entries and exits of one pair on its basis, at the last close known then."""
    shown = sorted(trades, key=lambda trade: -abs(trade.net))[:MARKED_TRADES]
    basis = basis_bps(closes)
    known = np.flatnonzero(~np.isnan(basis))
    if not shown or known.size == 0:
        return []
    traces: list[Trace] = []
    for name, symbol, colour, row in (
        ("entry", "triangle-up", _GAIN, 0),
        ("exit", "triangle-down", _LOSS, -1),
    ):
        at_ns = np.array([int(trade.folded.at_ns[row]) for trade in shown], dtype=np.int64)
        bar = known[np.maximum(np.searchsorted(closes.close_ns[known], at_ns, side="right") - 1, 0)]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": minutes(at_ns),
                "y": np.round(basis[bar], 2).tolist(),
                "marker": {
                    "symbol": symbol,
                    "size": 8,
                    "color": colour,
                    "line": {"color": "#fff", "width": 0.7},
                },
                "text": [f"net {t.net:,.2f} ({escape(t.trade.exit_reason)})" for t in shown],
                "hovertemplate": f"{name} %{{x}}<br>basis %{{y:.1f}} bps<br>%{{text}}<extra></extra>",
            }
        )
    return traces

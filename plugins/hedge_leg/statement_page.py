"""The statement as one self-contained page: net and funding over time, rows by day, month and carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

from carry.page import document
from carry.page_figures import PALETTE, Figure, figure_axis, figure_layout, minutes, thin
from carry.page_tables import html_table
from carry.report_tables import SAMPLE_NOTE
from hedge_leg.statement_periods import Cell, Period, Row, Sums, rows, totals

_COLUMNS = ("funding", "basis", "perp fees", "spot fees", "borrow", "fixed", "net", "unhedged USD s")
_MORE = ("rebalancing", "of net", "opened", "closed")
_HINT = (
    "Quote currency, received is positive, costs are shown as paid (-). Realized only: an open carry shows "
    "what it has paid and received so far. Net = funding + basis + costs. Rebalancing is part of the fees; "
    "of net: its share of what the net would be without it. Unhedged: value of "
    "what one leg has more than the other, x seconds. Days are UTC; a settlement at 00:00 belongs to the "
    "day it begins. Click a header to sort."
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement comes from. `sample`: the exchange is one on this computer; None: nobody said."""

    journal: str
    dry_run: bool
    sample: bool | None
    made_ms: int


def statement_page(found: Sequence[Cell], origin: Origin) -> str:
    """Return the whole page of at least one cell. Text from outside is escaped."""
    figures: dict[str, Any] = {}
    title = "Statement of carries" + (f" - {SAMPLE_NOTE}" if origin.sample else "")
    body = [_header(found, origin), '<main><div id="overview">']
    for quote in totals(found):
        mine = [cell for cell in found if cell.carry.facts.quote == quote]
        figures[f"net-{quote}"] = net_figure(mine, quote)
        body.append(
            f'<div class="card"><h2>Net and funding, {escape(quote)}</h2>'
            f'<div data-figure="{escape(f"net-{quote}")}"></div></div>'
        )
    body.append("</div>")
    body += [_card(title_of, found, by) for title_of, by in _CARDS]
    return document(title, [*body, f"<footer>{_HINT}</footer></main>"], figures)


_CARDS = (("By day", Period.DAY), ("By month", Period.MONTH), ("By carry", Period.CARRY))


def net_figure(found: Sequence[Cell], quote: str) -> Figure:
    """Return net and funding summed up to each day's end, above each day's funding and costs."""
    days = rows(found, Period.DAY)
    labels = [row.label for row in days]
    ends = np.array([f"{label}T00:00" for label in labels], "datetime64[ns]") + np.timedelta64(1, "D")
    starts = np.array([f"{label}T12:00" for label in labels], "datetime64[ns]")
    before = ends[:1] - np.timedelta64(1, "D")
    traces: list[dict[str, Any]] = []
    for place, (name, values) in enumerate(_curves(days).items()):
        summed = np.concatenate([[0.0], np.cumsum(values)])
        keep = thin(summed)
        at_ns = np.concatenate([before, ends]).astype("int64")
        traces.append(
            {
                **{"type": "scatter", "mode": "lines+markers" if len(days) < 40 else "lines", "name": name},
                "x": minutes(at_ns[keep]),
                "y": np.round(summed[keep], 4).tolist(),
                "line": {"color": PALETTE[place], "width": 2.2 if name == "net" else 1.4},
                "hovertemplate": "%{y:,.2f}",
            }
        )
    for name, colour, daily in (
        ("funding a day", PALETTE[2], [row.sums.funding for row in days]),
        ("costs a day", PALETTE[1], [-row.sums.costs for row in days]),
    ):
        traces.append(
            {
                **{"type": "bar", "name": name, "yaxis": "y2", "marker": {"color": colour}},
                "x": minutes(starts.astype("int64")),
                "y": [round(float(value), 4) for value in daily],
                "hovertemplate": "%{y:,.2f}",
            }
        )
    axes = {
        "xaxis": figure_axis(type="date", anchor="y2"),
        "yaxis": figure_axis(f"since the start, {escape(quote)}", domain=[0.42, 1]),
        "yaxis2": figure_axis("a day", domain=[0, 0.34]),
    }
    layout = figure_layout(520, hovermode="x unified", barmode="relative", **axes)
    return {"data": traces, "layout": layout}


def _curves(days: Sequence[Row]) -> Mapping[str, list[float]]:
    return {
        "net": [float(row.sums.net) for row in days],
        "basis": [float(row.sums.basis_pnl) for row in days],
        "funding": [float(row.sums.funding) for row in days],
    }


def _header(found: Sequence[Cell], origin: Origin) -> str:
    days = rows(found, Period.DAY)
    facts = {
        "days": f"{days[0].label} to {days[-1].label} (UTC)",
        "carries": str(len({cell.carry.carry_id for cell in found})),
        "journal": origin.journal,
        "made": f"{datetime.fromtimestamp(origin.made_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC",
    }
    facts |= {f"net, {quote}": _money(sums.net) for quote, sums in totals(found).items()}
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items()
    )
    banners = ""
    if origin.sample:
        banners += f'<div class="banner sample">{SAMPLE_NOTE}: an exchange on this computer</div>'
    if origin.dry_run:
        banners += '<div class="banner note">Dry-run: fills are simulated.</div>'
    if origin.sample is None:
        banners += (
            '<div class="banner note">No configuration was given: whether the market was real is not '
            "known.</div>"
        )
    return (
        "<header><h1>Statement of carries</h1><p>Short perpetual, long spot: both legs from the journal of a "
        f'trading bot</p><dl class="facts">{items}</dl></header>{banners}'
    )


def _card(title: str, found: Sequence[Cell], by: Period) -> str:
    listed = rows(found, by)
    first = ["carry", "pair", "state"] if by is Period.CARRY else [by.value]
    several = len(totals(found)) > 1
    columns = [*first, *(["quote"] if several else []), *_COLUMNS, *_MORE]
    text = len(first) + several
    cells_of = [[*_head(row), *([row.quote] if several else []), *_amounts(row.sums)] for row in listed]
    table = html_table(columns, cells_of, text=text, sortable=True)
    return f'<div class="card"><h2>{title}</h2><div class="scroll compact">{table}</div></div>'


def _head(row: Row) -> list[str]:
    if row.carry is None:
        return [row.label]
    return [row.label, row.carry.facts.pair, row.carry.state.value]


def _amounts(sums: Sums) -> list[str]:
    paid = (-sums.fees_perp, -sums.fees_spot, -sums.borrow, -sums.fixed)
    share = sums.rebalancing_share
    return [
        *map(_money, (sums.funding, sums.basis_pnl, *paid, sums.net, sums.unhedged_usd_s)),
        _money(sums.rebalancing),
        "-" if share is None else f"{share * 100:.2f} %",
        str(sums.opened),
        str(sums.closed),
    ]


def _money(amount: Decimal) -> str:
    return f"{round(amount, 2) + 0:,.2f}"

"""Tables of the report's page as HTML; every cell is escaped here and nowhere else."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from carry.report import Report, StrategyResult, TradeResult
from carry.report_tables import GROUP_TITLES, describe, money, number, percent
from carry.statistics import Group, breakdowns, summarize
from carry.tape import iso

LISTED_TRADES = 5000  # rows of a trade table, the latest; the JSON holds all
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}")  # a cell that begins so is never broken at its hyphens
_PART_COLUMNS = ("basis", "funding", "perp fees", "spot fees", "slippage*", "fixed", "borrow")


def html_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], text: int = 1, sortable: bool = False
) -> str:
    """Return a table; the first `text` columns are text. Cells are escaped, signs coloured."""
    heads = "".join(
        f'<th class="text">{escape(name)}' if place < text else f"<th>{escape(name)}"
        for place, name in enumerate(columns)
    )
    body = "".join(
        "<tr>" + "".join(_cell(cell, place < text) for place, cell in enumerate(row)) for row in rows
    )
    kind = ' class="sortable"' if sortable else ""
    return f"<table{kind}><thead><tr>{heads}</thead><tbody>{body}</tbody></table>"


def _cell(text: str, is_text: bool) -> str:
    if text == "no trades":
        return '<td class="none">no trades'
    if is_text:
        return f'<td class="text{" date" if _DATE.match(text) else ""}">{escape(text)}'
    return (
        f'<td class="loss">{escape(text)}'
        if text.startswith("-") and len(text) > 1
        else f"<td>{escape(text)}"
    )


def overview_card(report: Report) -> str:
    """Return the comparison of all strategies and their equity."""
    columns = ["#", "strategy", "trades", "net", "bps/trade", "return", "per year", "max drawdown"]
    columns += [
        "Sharpe",
        "in position",
        "exposure",
        "turnover /y",
        "break-even days",
        "rolls",
        "liquid.",
    ]
    rows: list[list[str]] = []
    for place, strategy in enumerate(report.strategies, start=1):
        if not strategy.trades:
            rows.append(["-", describe(strategy), "no trades", *["-"] * (len(columns) - 3)])
            continue
        figures = summarize(strategy)
        rows.append(
            [
                str(place),
                describe(strategy),
                str(figures.trades),
                money(strategy.parts.net),
                number(figures.net_bps_per_trade),
                percent(figures.return_on_capital),
                percent(figures.annualized_return),
                percent(figures.max_drawdown),
                number(figures.sharpe_daily, 2),
                percent(figures.time_in_position, 0),
                percent(figures.average_exposure, 0),
                number(figures.turnover_per_year),
                number(figures.break_even_days),
                f"{figures.rolls} ({money(figures.roll_cost)})" if figures.rolls else "0",
                str(figures.liquidations),
            ]
        )
    return (
        f'<div id="overview"><div class="card"><h2>Strategies</h2><div class="scroll compact">'
        f"{html_table(columns, rows, text=2)}</div>"
        '<p class="hint">Ordered by return on the capital of both legs; '
        "controls are yardsticks. Sharpe of daily equity changes; drawdown from candle closes; exposure = "
        "mean perp value / capital; rolls with their trading cost.</p></div>"
        '<div class="card"><h2>Equity and drawdown, both legs marked at every candle close</h2>'
        '<div data-figure="equity"></div></div></div>'
    )


def groups_card(strategy: StrategyResult) -> str:
    """Return the breakdowns as small tables side by side."""
    columns = ["", "trades", "net", "bps/trade", "basis", "funding", "costs"]
    tables = "".join(
        f"<div><h3>by {escape(GROUP_TITLES[name])}</h3>"
        f'<div class="scroll">{html_table(columns, map(_group_cells, groups))}</div></div>'
        for name, groups in breakdowns(strategy).items()
    )
    return f'<div class="card"><h2>Results by group</h2><div class="pair">{tables}</div></div>'


def _group_cells(group: Group) -> list[str]:
    parts = group.parts
    costs = money(parts.net - parts.basis_pnl - parts.funding_pnl)
    head = [group.label, str(group.trades), money(group.net_pnl), number(group.net_bps_per_trade)]
    return [*head, money(parts.basis_pnl), money(parts.funding_pnl), costs]


def trades_card(strategy: StrategyResult) -> str:
    """Return the sortable table of trades."""
    columns = [
        "opened (UTC)",
        "closed (UTC)",
        "pair",
        "exit",
        "hours",
        "notional",
        "net",
        "bps",
        *_PART_COLUMNS,
    ]
    trades = strategy.trades[-LISTED_TRADES:]
    shown = (
        f", the last {len(trades)} of {len(strategy.trades)}" if len(trades) < len(strategy.trades) else ""
    )
    table = html_table([*columns, "freqtrade", "residual"], map(_trade_cells, trades), text=4, sortable=True)
    return (
        f'<div class="card"><h2>Trades{shown}</h2><div class="scroll">{table}</div>'
        '<p class="hint">Click a header to sort. * slippage is inside basis (attribution). '
        "Residual = |freqtrade's profit - net|.</p></div>"
    )


def _trade_cells(result: TradeResult) -> list[str]:
    trade, parts = result.trade, result.folded.parts
    amounts = (parts.basis_pnl, parts.funding_pnl, -parts.fees_perp, -parts.fees_spot, -parts.slippage)
    return [
        iso(trade.open_ns)[:16].replace("T", " "),
        iso(trade.close_ns)[:16].replace("T", " "),
        trade.pair,
        trade.exit_reason,
        f"{(trade.close_ns - trade.open_ns) / 3.6e12:g}",
        money(result.folded.entry_notional),
        money(result.net),
        number(result.net_bps),
        *(money(amount) for amount in (*amounts, -parts.fixed, -parts.borrow)),
        money(trade.profit_abs),
        f"{result.residual:.1e}",
    ]

"""The report as tables on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from carry.report import RESIDUAL_LIMIT, Report, StrategyResult
from carry.statistics import Group, breakdowns, cost_ladder, summarize

SAMPLE_NOTE = "sample market, not real"
GROUP_TITLES = {
    "by_hours_to_settlement_at_entry": "hours to the next settlement, at entry",
    "by_hours_to_settlement_at_exit": "hours to the next settlement, at exit",
    "by_exit_reason": "exit reason",
    "by_year": "year of exit",
    "by_pair": "pair",
}


def money(value: float) -> str:
    """Return an amount of quote currency with two decimals and grouped thousands, never "-0.00"."""
    return f"{round(value, 2) + 0.0:,.2f}"


def number(value: float | None, digits: int = 1, suffix: str = "") -> str:
    """Return a number, or "-" where it does not exist, never "-0.0"."""
    return "-" if value is None else f"{round(value, digits) + 0.0:,.{digits}f}{suffix}"


def percent(fraction: float | None, digits: int = 2) -> str:
    """Return a fraction as a percentage, or "-" where it does not exist, never "-0.00 %"."""
    return number(None if fraction is None else fraction * 100, digits, " %")


def describe(strategy: StrategyResult) -> str:
    """Return the strategy's name, marked if it is a control."""
    return f"{strategy.name} (control)" if strategy.is_control else strategy.name


def print_report(report: Report, console: Console) -> None:
    """Print all tables of a report, the overview last: that is what a terminal still shows at the end.

    A strategy without trades is listed and never ranked.
    """
    if report.sample_market:
        console.print(f"[bold red]{SAMPLE_NOTE.upper()}[/]: generated prices, no statement about any market")
    if not report.export.configured:
        console.print(
            "[yellow]note[/]: the export holds no hedge_leg block; both legs priced at default costs"
        )
    title_note = f" ({SAMPLE_NOTE})" if report.sample_market else ""
    for strategy in reversed(report.strategies):
        if strategy.trades:
            console.print(_ladder_table(strategy, title_note))
            console.print(_group_table(strategy, title_note))
    for table in (_profit_table(report, title_note), _risk_table(report, title_note)):
        console.print(table)
    if not report.reconciles:
        console.print(f"[bold red]WARNING[/] {residual_warning(report)}", soft_wrap=True)


def residual_warning(report: Report) -> str:
    """Return one line that names the trade whose books disagree most."""
    worst = max((t for s in report.strategies for t in s.trades), key=lambda trade: trade.residual)
    owner = next(s.name for s in report.strategies if worst in s.trades)
    return (
        f"residual {worst.residual:.8f} above {RESIDUAL_LIMIT:g}: freqtrade's profit of {owner} on "
        f"{worst.trade.pair} is {worst.trade.profit_abs:.8f}, both legs recomputed give {worst.net:.8f}"
    )


def _table(title: str, columns: Sequence[str], left: int = 1) -> Table:
    """Return an empty table; the first `left` columns are text, the others numbers."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=place < left)
    return table


def _profit_table(report: Report, note: str) -> Table:
    columns = ["strategy", "trades", "net", "bps/trade", "basis", "funding", "perp fees", "spot fees"]
    columns += ["slippage*", "fixed", "borrow", "freqtrade", "residual"]
    table = _table(f"Profit by part, quote currency{note}", columns)
    for strategy in report.strategies:
        if not strategy.trades:
            table.add_row(escape(describe(strategy)), "no trades", *["-"] * (len(columns) - 2))
            continue
        parts = strategy.parts
        amounts = (parts.basis_pnl, parts.funding_pnl, -parts.fees_perp, -parts.fees_spot, -parts.slippage)
        table.add_row(
            escape(describe(strategy)),
            str(len(strategy.trades)),
            money(parts.net),
            number(summarize(strategy).net_bps_per_trade),
            *(money(amount) for amount in amounts),
            money(-parts.fixed),
            money(-parts.borrow),
            money(strategy.freqtrade_profit),
            f"{strategy.worst_residual:.1e}",
        )
    table.caption = "* slippage is inside basis (attribution); residual: the largest of any trade"
    return table


def _risk_table(report: Report, note: str) -> Table:
    columns = ["#", "strategy", "return", "per year", "max dd", "Sharpe", "in position", "exposure"]
    columns += ["turnover/y", "break-even d", "rolls", "roll cost", "liquidations"]
    table = _table(f"Return and risk on the capital of both legs{note}", columns, left=2)
    rank = 0
    for strategy in report.strategies:
        if not strategy.trades:
            table.add_row("-", escape(describe(strategy)), "no trades", *["-"] * (len(columns) - 3))
            continue
        rank += 1
        figures = summarize(strategy)
        table.add_row(
            str(rank),
            escape(describe(strategy)),
            percent(figures.return_on_capital),
            percent(figures.annualized_return),
            percent(figures.max_drawdown),
            number(figures.sharpe_daily, 2),
            percent(figures.time_in_position, 0),
            percent(figures.average_exposure, 0),
            number(figures.turnover_per_year, 1),
            number(figures.break_even_days, 1),
            str(figures.rolls),
            money(figures.roll_cost),
            str(figures.liquidations),
        )
    return table


def _ladder_table(strategy: StrategyResult, note: str) -> Table:
    table = _table(f"{escape(describe(strategy))}: cost ladder{note}", ["all-in cost", "net", "bps/trade"])
    for rung in cost_ladder(strategy):
        table.add_row(rung.label, money(rung.net_pnl), number(rung.net_bps_per_trade))
    table.caption = "of each fill's raw value; no slippage; funding, borrow and fixed costs as booked"
    return table


def _group_table(strategy: StrategyResult, note: str) -> Table:
    columns = ["group", "trades", "net", "bps/trade", "basis", "funding", "costs"]
    table = _table(f"{escape(describe(strategy))}: results by group{note}", columns)
    for name, groups in breakdowns(strategy).items():
        table.add_section()
        table.add_row(f"[italic]{GROUP_TITLES[name]}[/]", *[""] * (len(columns) - 1))
        for group in groups:
            table.add_row(*_group_row(group))
    return table


def _group_row(group: Group) -> list[str]:
    parts = group.parts
    return [
        f"  {escape(group.label)}",
        str(group.trades),
        money(group.net_pnl),
        number(group.net_bps_per_trade),
        money(parts.basis_pnl),
        money(parts.funding_pnl),
        money(parts.net - parts.basis_pnl - parts.funding_pnl),
    ]


def price_table(summary: Sequence[Mapping[str, Any]]) -> Table:
    """Return the summary of `carry price`, one row per strategy and one for all."""
    columns = [
        "strategy",
        "trades",
        "net",
        "mean bps",
        "won",
        "perp leg",
        "spot leg",
        "funding",
        "fees",
        "fixed",
    ]
    table = _table("Two-leg trades priced, quote currency", [*columns, "slippage*"])
    for row in summary:
        table.add_row(
            escape(str(row["strategy_name"])),
            str(row["trades"]),
            money(row["net_pnl_usd"]),
            number(row["mean_net_return_bps"], 2),
            percent(row["winning_share"], 0),
            money(row["perp_leg_pnl_usd"]),
            money(row["spot_leg_pnl_usd"]),
            money(row["funding_pnl_usd"]),
            money(-row["trading_fees_usd"]),
            money(-row["gas_cost_usd"]),
            money(-row["embedded_slippage_cost_usd"]),
        )
    table.caption = "* slippage is inside the legs (attribution)"
    return table

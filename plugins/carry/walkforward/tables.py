"""A walk-forward as tables on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from carry.report_tables import SAMPLE_NOTE, number, percent

FIGURES = ("trades", "yearly", "Sharpe", "max drawdown", "turnover /y", "forced exits")
UNCONFIRMED = "unconfirmed: no run of freqtrade has been compared with these trades (--no-confirm)"


def figure_cells(figures: Mapping[str, Any]) -> list[str]:
    """Return one series' figures in the order of `FIGURES`."""
    return [
        str(figures["trades"]),
        percent(figures["yearly"]),
        number(figures["sharpe"], 2),
        percent(figures["max_drawdown"]),
        number(figures["turnover_yearly"], 1),
        str(figures["forced_exits"]),
    ]


def series_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per stitched series: candidates, then controls restarted and held through."""
    rows = [[one["strategy"], *figure_cells(one["out_of_sample"])] for one in result["strategies"]]
    for one in result["controls"]:
        rows.append([f"{one['strategy']} (control, same windows)", *figure_cells(one["restarted"])])
        rows.append([f"{one['strategy']} (control, held through)", *figure_cells(one["continuous"])])
    return rows


def evidence_rows(strategy: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is held against one candidate, named and in words."""
    evidence = strategy["evidence"]
    overfitting = evidence["overfitting"] or {}
    return [
        ("yearly in sample", percent(strategy["in_sample_yearly"])),
        ("yearly out of sample", percent(strategy["out_of_sample"]["yearly"])),
        ("95 % interval of it", _interval(evidence["yearly_interval"], 100.0, " %")),
        ("95 % interval of the Sharpe ratio", _interval(evidence["sharpe_interval"], 1.0, "")),
        ("out of sample / in sample", number(evidence["efficiency"], 2)),
        ("P(Sharpe > 0)", number(evidence["probabilistic_sharpe"], 3)),
        ("deflated Sharpe ratio", number(evidence["deflated_sharpe"], 3)),
        ("probability of backtest overfitting", number(overfitting.get("pbo"), 3)),
        ("P(the best set loses out of sample)", number(overfitting.get("loss_probability"), 3)),
        ("sets tried, compared", f"{evidence['sets_tried']}, {evidence['sets_compared']}"),
    ]


def setting_text(winner: Mapping[str, Any] | None) -> str:
    """Return a winner's parameters in one line."""
    if winner is None:
        return "none: flat"
    return " ".join(f"{name}={value}" for name, value in sorted(winner.items()))


def print_walk(result: Mapping[str, Any], console: Console) -> None:
    """Print folds and evidence of every candidate, and all stitched series last."""
    if result["sample_market"]:
        console.print(f"[bold red]{SAMPLE_NOTE.upper()}[/]: generated prices, no statement about any market")
    for strategy in result["strategies"]:
        console.print(_fold_table(strategy))
        console.print(_evidence_table(strategy))
    table = Table(title="out of sample, stitched; yearly on the capital of both legs")
    table.add_column("strategy", no_wrap=True)
    for name in FIGURES:
        table.add_column(name, justify="right")
    for row in series_rows(result):
        table.add_row(*map(escape, row))
    console.print(table)
    plan = result["plan"]
    kind = "anchored" if plan["anchored"] else "rolling"
    console.print(
        f"{plan['windows']} folds, {kind}, train {plan['train']} test {plan['test']}, purge {plan['purge']} "
        f"embargo {plan['embargo']}, {plan['trials']} sets per fold ({plan['sampler']}), seed {plan['seed']}"
    )
    confirmed = f"freqtrade confirms all {result['confirmed_trades']} trades of the winners and controls"
    console.print(confirmed if result["confirmed"] else f"[yellow]{UNCONFIRMED}[/]")


def _fold_table(strategy: Mapping[str, Any]) -> Table:
    table = Table(title=f"{escape(strategy['strategy'])}: folds")
    for name in ("fold", "test from", "to", "in sample /y", "out of sample /y", "trades", "forced", "winner"):
        table.add_column(name, justify="left" if name == "winner" else "right", overflow="fold")
    for fold in strategy["folds"]:
        window, inside, outside = fold["window"], fold["in_sample"], fold["out_of_sample"]
        cells = [str(fold["fold"]), window["test"][:10], window["test_end"][:10], percent(inside["yearly"])]
        cells += [percent(outside["yearly"]), str(outside["trades"]), str(outside["forced_exits"])]
        table.add_row(*map(escape, [*cells, setting_text(fold["winner"])]))
    return table


def _evidence_table(strategy: Mapping[str, Any]) -> Table:
    table = Table(title=f"{escape(strategy['strategy'])}: evidence", show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in evidence_rows(strategy):
        table.add_row(name, value)
    return table


def _interval(interval: Mapping[str, Any] | None, scale: float, unit: str) -> str:
    if interval is None:
        return "-"
    return f"{interval['low'] * scale:.2f} to {interval['high'] * scale:.2f}{unit}"

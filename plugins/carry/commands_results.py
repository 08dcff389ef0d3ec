"""Commands that read results: `carry report` and `carry price`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from carry.freqtrade_results import read_export
from carry.report import build_report
from carry.report_json import report_json, write_json
from carry.report_tables import print_report, residual_warning

_REPORT_HELP = """Recompute a backtest on both legs and compare it with freqtrade's own profit.

Every trade is recomputed from its perp fills and the recorded candles, without asking the backtest: price P&L
of perp and spot, funding, fees, slippage, fixed costs and borrow. Exit status 1 if freqtrade's profit of any
trade differs by more than 0.000001, 3 if recorded data do not cover a trade.

Example: carry report --result user_data/backtest_results --datadir user_data/data/binance
"""


def terminal() -> Console:
    """Return the console for tables; wide enough for them where the output is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def report_command(
    result: Annotated[
        Path, typer.Option(help="freqtrade's backtest_results directory (newest result), a .zip or a .json")
    ],
    datadir: Annotated[Path, typer.Option(help="recorded candles in freqtrade's layout")],
    json_path: Annotated[Path | None, typer.Option("--json", help="write the report as JSON")] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="only this strategy; may be repeated")] = None,
) -> None:
    """Recompute a backtest on both legs; see the help text above."""
    report = build_report(read_export(result), datadir, strategy or ())
    if json_path is not None:
        write_json(report_json(report), json_path)
    print_report(report, terminal())
    if not report.reconciles:
        typer.echo(f"carry: {residual_warning(report)}", err=True)
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to `carry`."""
    app.command("report", help=_REPORT_HELP)(report_command)

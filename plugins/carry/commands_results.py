"""Commands that read results: `carry report` and `carry price`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from carry.errors import UsageError
from carry.freqtrade_results import read_export
from carry.page import write_page
from carry.price import (
    FeeBase,
    HedgeMode,
    PriceTerms,
    ordered_columns,
    price_trades,
    read_trade_log,
    summarize_prices,
)
from carry.report import build_report
from carry.report_json import finite, report_json, write_json
from carry.report_tables import price_table, print_report, residual_warning

_REPORT_HELP = (
    "Recompute a backtest on both legs and compare it with freqtrade's own profit.\n\n"
    "Every trade is recomputed from its perp fills and the recorded candles, without asking the backtest: "
    "price P&L of perp and spot, funding, fees, slippage, fixed costs and borrow. Exit status 1 if "
    "freqtrade's profit of any trade differs by more than 0.000001, 3 if recorded data do not cover a trade."
    "\n\nExample: carry report --result user_data/backtest_results --datadir user_data/data/binance "
    "--page report.html"
)
_PRICE_HELP = (
    "Price a log of two-leg trades (short perp, long spot) from its raw prices.\n\n"
    "Defaults: equal_quantity hedge, fees on each fill, taker 5 bps and slippage 3 bps per leg and side, "
    "fixed cost 2 per trade, notional 10000. Needed columns: entry_timestamp, exit_timestamp, "
    "perp_entry_price_raw, perp_exit_price_raw, spot_entry_price_raw, spot_exit_price_raw, "
    "funding_rate_sum (sum of the rates received).\n\n"
    "Example: carry price trades.csv --hedge-mode equal_notional --fee-base entry_notional --out priced.csv"
)


def terminal() -> Console:
    """Return the console for tables; wide enough for them where the output is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def report_command(
    result: Annotated[
        Path, typer.Option(help="freqtrade's backtest_results directory (newest result), a .zip or a .json")
    ],
    datadir: Annotated[Path, typer.Option(help="recorded candles in freqtrade's layout")],
    json_path: Annotated[Path | None, typer.Option("--json", help="write the report as JSON")] = None,
    page: Annotated[Path | None, typer.Option(help="write one self-contained HTML page")] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="only this strategy; may be repeated")] = None,
) -> None:
    """Recompute a backtest on both legs; see the help text above."""
    report = build_report(read_export(result), datadir, strategy or ())
    if json_path is not None:
        write_json(report_json(report), json_path)
    if page is not None:
        write_page(report, page)
    print_report(report, terminal())
    for kind, path in (("JSON", json_path), ("page", page)):
        if path is not None:
            typer.echo(f"{kind}: {path}")
    if not report.reconciles:
        typer.echo(f"carry: {residual_warning(report)}", err=True)
        raise typer.Exit(1)


def price_command(
    trades: Annotated[Path, typer.Argument(help="CSV of two-leg trades, one per line")],
    hedge_mode: Annotated[
        HedgeMode, typer.Option(help="spot hedges the perp's quantity or its notional")
    ] = HedgeMode.EQUAL_QUANTITY,
    fee_base: Annotated[
        FeeBase, typer.Option(help="fees on each fill's value or on the entry notional")
    ] = FeeBase.FILL,
    taker_bps: Annotated[float, typer.Option(help="fee per leg and side, bps")] = 5.0,
    slippage_bps: Annotated[float, typer.Option(help="slippage per leg and side, bps")] = 3.0,
    fixed_cost: Annotated[float, typer.Option(help="per trade, quote currency")] = 2.0,
    notional: Annotated[float, typer.Option(help="of one leg at entry, quote currency")] = 10_000.0,
    out: Annotated[Path | None, typer.Option(help="write the priced trades as CSV")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="write the summary as JSON")] = None,
) -> None:
    """Price a log of two-leg trades; see the help text above."""
    terms = PriceTerms(hedge_mode, fee_base, taker_bps, slippage_bps, fixed_cost, notional)
    log = read_trade_log(trades)
    priced = price_trades(log, terms)
    summary = summarize_prices(priced)
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            priced[ordered_columns(list(log.columns))].to_csv(out, index=False)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(f"{out} cannot be written: {reason}") from error
    if json_path is not None:
        write_json(finite({"terms": asdict(terms), "summary": summary}), json_path)
    terminal().print(price_table(summary))


def register(app: typer.Typer) -> None:
    """Add the commands to `carry`."""
    app.command("report", help=_REPORT_HELP)(report_command)
    app.command("price", help=_PRICE_HELP)(price_command)

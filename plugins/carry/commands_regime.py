"""`carry features --definition published|causal`: regime signals, one row per settlement cycle."""

import math
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from carry.costs import CostModel
from carry.coverage_table import sample_note
from carry.errors import DataError
from carry.findings import is_sample
from carry.market import Market, candle_path, read_candles, read_funding, settle_stamps
from carry.regime import CYCLE_COLUMNS, CYCLE_H, Regime
from carry.regime_buckets import Bucket, RegimeAccount, regime_accounts, regime_buckets
from carry.regime_causal import causal_cycles
from carry.regime_published import FIRST_CYCLE, published_cycles
from carry.regime_totals import Account, published_totals
from carry.timerange import Timerange

ORACLE_DATES = "%Y-%m-%d %H:%M:%S"


class Definition(StrEnum):
    """Which regime definition."""

    PUBLISHED = "published"
    CAUSAL = "causal"


def regime_cycles(
    datadir: Path, pair: str, timeframe: str, definition: Definition, wanted: Timerange
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the cycles (columns `CYCLE_COLUMNS`) and what the JSON tells of them.

    `published` is of the candles and settlements inside `wanted` alone, because its kappa is the whole
    sample's; `causal` is of all data before the end of `wanted`, and its rows inside are returned. Raises
    DataError where files are missing or no cycle is left.
    """
    market = _legs(datadir, pair, timeframe)
    span = wanted if definition is Definition.PUBLISHED else Timerange(end=wanted.end)
    perp, spot = (
        frame[span.holds(frame["date"])].reset_index(drop=True) for frame in (market.perp, market.spot)
    )
    funding = market.funding[span.holds(settle_stamps(market.funding["date"]))].reset_index(drop=True)
    about: dict[str, Any] = {"pair": pair, "timeframe": timeframe, "definition": str(definition)}
    about |= {"sample": is_sample(datadir), "timerange": str(wanted)}
    if definition is Definition.PUBLISHED:
        published = published_cycles(perp, spot, funding)
        cycles = published.cycles
        about |= {
            "kappa_per_hour_full_sample": published.kappa_per_hour,
            "tau_relax_hours": published.tau_relax_h,
            "beta_full_sample": published.beta,
            "je_mean_exp": published.je_mean_exp,
        }
        about |= _totals(cycles) if len(cycles) > FIRST_CYCLE else {}
    else:
        cycles = causal_cycles(perp, spot, funding, timeframe).loc[:, list(CYCLE_COLUMNS)]
        cycles = cycles[wanted.holds(cycles["start_time"])].reset_index(drop=True)
        about["buckets"] = [_plain(bucket) for bucket in regime_buckets(cycles)]
        about["side_bps"] = CostModel().side_bps
        about["accounts"] = [_plain(account) for account in regime_accounts(cycles, about["side_bps"])]
        about["tau_relax_hours_median"] = _number(CYCLE_H * cycles["relaxation_ratio"].median())
    if cycles.empty:
        raise DataError(f"{pair}: no settlement in {wanted} of {datadir}: give another --timerange")
    return cycles, about | {"cycles": len(cycles), "regime_counts": _counts(cycles)}


def write_cycles(path: Path, cycles: pd.DataFrame) -> None:
    """Write the cycles as .csv (start_time in UTC, without an offset) or .feather. Raises OSError."""
    if path.suffix == ".csv":
        cycles.to_csv(path, index=False, date_format=ORACLE_DATES)
    else:
        cycles.to_feather(path)


def print_cycles(
    console: Console, datadir: Path, cycles: pd.DataFrame, about: dict[str, Any], tail: int
) -> None:
    """Print the last cycles, the regime counts and, for `published`, the totals of its strategies."""
    last = cycles.tail(tail)
    title = f"{about['pair']} {about['timeframe']}, {about['definition']} regimes"
    table = Table(title=f"{title}, last {len(last)} of {len(cycles)}{sample_note(datadir)}")
    table.add_column("settlement (UTC)", no_wrap=True)
    for date in last["start_time"]:
        table.add_column(f"{date:%Y-%m-%d %H:%M}", justify="right")
    for name in CYCLE_COLUMNS[2:]:
        table.add_row(name, *(f"{x:.6g}" if isinstance(x, float) else str(x) for x in last[name]))
    console.print(table)
    counts = ", ".join(f"{name} {count}" for name, count in about["regime_counts"].items())
    console.print(f"regimes: {counts}, none yet {len(cycles) - sum(about['regime_counts'].values())}")
    if "accounts" in about:
        _print_buckets(console, about)
    if "published_rules" not in about:
        return
    console.print(
        f"tau {about['tau_relax_hours']:.3f} h, mean exp(-beta (W - dF)) {about['je_mean_exp']:.5f}"
    )
    totals = _figure_table(
        "under the published rules (they look ahead: not for trading)",
        *("strategy", "Sharpe", "return %", "a year %", "drawdown %", "trades"),
    )
    rows = about["published_rules"] | {
        "Always-on that pays only what it trades": about["always_on_without_weekly_turnover"]
    }
    for name, row in rows.items():
        figures = (
            f"{row[key]:.3f}" for key in ("sharpe", "total_return_pct", "annual_return_pct", "max_dd_pct")
        )
        totals.add_row(name, *figures, str(row["n_trades"]))
    console.print(totals)


def _print_buckets(console: Console, about: dict[str, Any]) -> None:
    """Print what the cycle after a settlement earned by regime, and three ways of holding."""
    table = _figure_table(
        "the cycle after each settlement, bps of one leg's notional, before costs",
        *("known at the settlement", "cycles", "share", "funding", "basis", "worst", "rates <= 0"),
    )
    for row in about["buckets"]:
        figures = (f"{_or_nan(row[key]):.2f}" for key in ("funding_bps", "basis_bps", "worst_bps"))
        share, negative = (f"{_or_nan(row[key]):.1%}" for key in ("share", "negative_share"))
        table.add_row(row["name"], str(row["cycles"]), share, *figures, negative)
    console.print(table)
    table = _figure_table(
        f"held by regime, {about['side_bps']:g} bps a side, % of one leg's notional",
        *("held", "net a year", "costs a year", "drawdown", "mean exposure", "Sharpe"),
    )
    for row in about["accounts"]:
        name, *numbers = row.values()
        table.add_row(name, *(f"{_or_nan(number):.2f}" for number in numbers))
    console.print(table)


def _figure_table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _legs(datadir: Path, pair: str, timeframe: str) -> Market:
    """Load the series that regimes need; the mark is not one of them."""
    perp = read_candles(candle_path(datadir, pair, timeframe, "futures"))
    spot = read_candles(candle_path(datadir, pair, timeframe, "spot"))
    return Market(pair, timeframe, perp, spot, perp.iloc[:0], read_funding(datadir, pair))


def _counts(cycles: pd.DataFrame) -> dict[str, int]:
    found = cycles["regime"].value_counts()
    return {str(regime): int(found.get(regime, 0)) for regime in Regime}


def _totals(cycles: pd.DataFrame) -> dict[str, Any]:
    *ruled, control = published_totals(cycles)
    return {
        "published_rules": {account.name: _figures(account) for account in ruled},
        "always_on_without_weekly_turnover": _figures(control),
    }


def _figures(account: Account) -> dict[str, float | int]:
    return {
        "sharpe": account.sharpe,
        "total_return_pct": 100.0 * account.total_return,
        "annual_return_pct": 100.0 * account.annual_return,
        "max_dd_pct": 100.0 * account.max_drawdown,
        "n_trades": account.trades,
    }


def _plain(record: Bucket | RegimeAccount) -> dict[str, Any]:
    """Return a record as JSON values: NaN is null."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in asdict(record).items()
    }


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)

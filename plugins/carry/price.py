"""Price any log of two-leg trades: short perp and long spot, both entered and left once.

Needed columns: the four raw prices, entry and exit timestamps, and the sum of the funding rates received.
Everything else is computed, with the column names of the log that this command is checked against:

    effective price = raw x (1 + bps) when bought, raw x (1 - bps) when sold
    perp_leg_pnl    = perp quantity x (entry - exit), at effective prices
    spot_leg_pnl    = spot quantity x (exit - entry), at effective prices
    funding_pnl     = funding_rate_sum x notional
    net_pnl         = perp leg + spot leg + funding - trading fees - fixed cost
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carry.costs import BPS
from carry.errors import UsageError
from carry.tape import Floats

PRICE_COLUMNS = (
    "perp_entry_price_raw",
    "perp_exit_price_raw",
    "spot_entry_price_raw",
    "spot_exit_price_raw",
)
TIME_COLUMNS = ("entry_timestamp", "exit_timestamp")
FUNDING_COLUMN = "funding_rate_sum"
COMPUTED_COLUMNS = (
    "position_notional_usd",
    "perp_entry_price_effective",
    "perp_exit_price_effective",
    "spot_entry_price_effective",
    "spot_exit_price_effective",
    "perp_quantity",
    "spot_quantity",
    "perp_leg_pnl_usd",
    "spot_leg_pnl_usd",
    "funding_pnl_usd",
    "gross_pnl_usd",
    "trading_fees_usd",
    "gas_cost_usd",
    "embedded_slippage_cost_usd",
    "net_pnl_usd",
    "net_return_bps",
)
SUMMED_COLUMNS = tuple(
    name for name in COMPUTED_COLUMNS if name.endswith(("pnl_usd", "fees_usd", "cost_usd"))
)


class HedgeMode(StrEnum):
    """How much spot hedges the perp."""

    EQUAL_QUANTITY = "equal_quantity"  # spot base = perp base: no delta is left
    EQUAL_NOTIONAL = "equal_notional"  # each leg gets the notional: a small delta is left


class FeeBase(StrEnum):
    """What the fee rate (and the stated slippage cost) applies to."""

    FILL = "fill"  # each fill's own value: quantity x effective price
    ENTRY_NOTIONAL = "entry_notional"  # four times the position's notional


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """How to price. `taker_bps` and `slippage_bps` per leg and side; money in quote currency.

    Raises UsageError for a value that cannot be a cost or a notional.
    """

    hedge_mode: HedgeMode = HedgeMode.EQUAL_QUANTITY
    fee_base: FeeBase = FeeBase.FILL
    taker_bps: float = 5.0
    slippage_bps: float = 3.0
    fixed_cost: float = 2.0
    notional: float = 10_000.0

    def __post_init__(self) -> None:
        """Refuse terms that give no meaningful price."""
        for name, value in (("taker-bps", self.taker_bps), ("slippage-bps", self.slippage_bps)):
            if not 0.0 <= value < 10_000.0:
                raise UsageError(f"--{name} is {value}: give a number >= 0 and < 10000")
        if not 0.0 <= self.fixed_cost < float("inf"):
            raise UsageError(f"--fixed-cost is {self.fixed_cost}: give a number >= 0")
        if not 0.0 < self.notional < float("inf"):
            raise UsageError(f"--notional is {self.notional}: give a number > 0")


def read_trade_log(path: Path) -> pd.DataFrame:
    """Read a CSV of two-leg trades; needed columns are checked, all others kept as they are.

    Returns one row per trade in file order: prices and funding as float64 (prices > 0), times as aware UTC.
    Raises UsageError, in one line naming row (line of the file) and column.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}") from error
    except pd.errors.EmptyDataError as error:
        raise UsageError(f"{path} is empty: give a CSV with a header and one trade per line") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise UsageError(f"{path} is not a CSV file: {' '.join(str(error).split())}") from error
    for name in (*TIME_COLUMNS, *PRICE_COLUMNS, FUNDING_COLUMN):
        if name not in frame.columns:
            raise UsageError(f"{path} lacks column {name}")
    if frame.empty:
        raise UsageError(f"{path} holds no trade: give one per line below the header")
    for name in (*PRICE_COLUMNS, FUNDING_COLUMN):
        frame[name] = _numbers(frame[name], name, path)
    for name in PRICE_COLUMNS:
        _refuse(frame[name] <= 0.0, frame[name], name, path, "a price must be above 0")
    _check_times(frame, path)
    return frame


def _numbers(column: "pd.Series[Any]", name: str, path: Path) -> Floats:
    """Return a text column as finite floats; UsageError names the first cell that is not one."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    _refuse(pd.Series(~np.isfinite(numbers)), column, name, path, "not a number")
    return numbers


def _refuse(wrong: "pd.Series[bool]", column: "pd.Series[Any]", name: str, path: Path, why: str) -> None:
    """Raise UsageError for the first row that is wrong; rows are numbered as lines of the file."""
    rows = np.flatnonzero(wrong.to_numpy(dtype=np.bool_))
    if rows.size:
        value = str(column.iloc[int(rows[0])])[:40]
        raise UsageError(f"{path} line {int(rows[0]) + 2}, column {name}: {value!r} - {why}")


def _check_times(frame: pd.DataFrame, path: Path) -> None:
    """Refuse timestamps that cannot be read and exits before their entry; the text itself is kept."""
    times = {}
    for name in TIME_COLUMNS:
        times[name] = pd.to_datetime(frame[name], utc=True, errors="coerce", format="ISO8601")
        _refuse(times[name].isna(), frame[name], name, path, "not an ISO-8601 time")
    early = times["exit_timestamp"] < times["entry_timestamp"]
    _refuse(early, frame["exit_timestamp"], "exit_timestamp", path, "before the entry")


def price_trades(trades: pd.DataFrame, terms: PriceTerms) -> pd.DataFrame:
    """Return the log with every computed column added or replaced; input as `read_trade_log` returns it.

    Quantities: equal_notional gives each leg notional / its own effective entry price, equal_quantity gives
    both legs notional / the perp's. Slippage is inside the effective prices; its cost column is attribution.
    """
    raw = {name: trades[name].to_numpy(dtype=np.float64) for name in PRICE_COLUMNS}
    slip = terms.slippage_bps * BPS
    effective = {
        "perp_entry": raw["perp_entry_price_raw"] * (1.0 - slip),
        "perp_exit": raw["perp_exit_price_raw"] * (1.0 + slip),
        "spot_entry": raw["spot_entry_price_raw"] * (1.0 + slip),
        "spot_exit": raw["spot_exit_price_raw"] * (1.0 - slip),
    }
    perp_qty = terms.notional / effective["perp_entry"]
    equal = terms.hedge_mode is HedgeMode.EQUAL_QUANTITY
    spot_qty = perp_qty if equal else terms.notional / effective["spot_entry"]
    qty = {"perp_entry": perp_qty, "perp_exit": perp_qty, "spot_entry": spot_qty, "spot_exit": spot_qty}
    perp_pnl = perp_qty * (effective["perp_entry"] - effective["perp_exit"])
    spot_pnl = spot_qty * (effective["spot_exit"] - effective["spot_entry"])
    funding = trades[FUNDING_COLUMN].to_numpy(dtype=np.float64) * terms.notional
    if terms.fee_base is FeeBase.ENTRY_NOTIONAL:
        fees = np.full(len(trades), 4.0 * terms.notional * terms.taker_bps * BPS)
        slippage = np.full(len(trades), 4.0 * terms.notional * slip)
    else:
        fees = sum((qty[fill] * effective[fill] for fill in qty), np.zeros(len(trades)))
        fees = fees * (terms.taker_bps * BPS)
        slippage = sum((qty[fill] * raw[f"{fill}_price_raw"] for fill in qty), np.zeros(len(trades))) * slip
    gross = perp_pnl + spot_pnl + funding
    net = gross - fees - terms.fixed_cost
    return trades.assign(
        position_notional_usd=terms.notional,
        **{f"{fill}_price_effective": effective[fill] for fill in effective},
        perp_quantity=perp_qty,
        spot_quantity=spot_qty,
        perp_leg_pnl_usd=perp_pnl,
        spot_leg_pnl_usd=spot_pnl,
        funding_pnl_usd=funding,
        gross_pnl_usd=gross,
        trading_fees_usd=fees,
        gas_cost_usd=terms.fixed_cost,
        embedded_slippage_cost_usd=slippage,
        net_pnl_usd=net,
        net_return_bps=net / terms.notional / BPS,
    )


def summarize_prices(priced: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per strategy_name (if there is that column) and one for all: sums, mean bps, wins."""
    groups: list[tuple[str, pd.DataFrame]] = []
    if "strategy_name" in priced.columns:
        groups = [(str(name), rows) for name, rows in priced.groupby("strategy_name", sort=True)]
    return [_summary_row(name, rows) for name, rows in [*groups, ("all", priced)]]


def _summary_row(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    sums = {column: float(rows[column].sum()) for column in SUMMED_COLUMNS}
    return {
        "strategy_name": name,
        "trades": len(rows),
        **sums,
        "mean_net_return_bps": float(rows["net_return_bps"].mean()),
        "winning_share": float((rows["net_pnl_usd"] > 0.0).mean()),
    }


def ordered_columns(existing: Sequence[str]) -> list[str]:
    """Return the columns to write: those of the input where they stood, computed ones after them."""
    return [*existing, *(name for name in COMPUTED_COLUMNS if name not in existing)]

"""Figures of a recomputed strategy: risk and return, break-even, cost ladder, and results by group.

Returns are on the starting balance, the capital of both legs. Ratios that do not exist (no trades, no
variance, funding that never pays) are None, never 0 or infinity.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.costs import BPS
from carry.equity import EquityCurve
from carry.ledger import Parts
from carry.report import StrategyResult, TradeResult
from carry.tape import DAY_NS

DAYS_PER_YEAR = 365.0
SIDE_RUNGS_BPS = (1.0, 2.0, 4.0, 6.0)
ROUND_TRIP_RUNGS_BPS = (8.0, 16.0, 25.0)


@dataclass(frozen=True, slots=True)
class Summary:
    """One strategy in figures. Money in quote; fractions of the starting balance unless named otherwise."""

    trades: int
    net_bps_per_trade: float | None  # mean over trades of net / perp entry notional
    return_on_capital: float
    annualized_return: float | None  # compounded from the whole period
    max_drawdown: float  # positive fraction, from candle closes
    sharpe_daily: float | None  # mean / sample std of daily equity changes, x sqrt(365)
    time_in_position: float  # share of marked candle closes
    average_exposure: float  # mean |perp value| / starting balance, over all marked closes
    turnover_per_year: float  # raw traded value of both legs / starting balance / year
    break_even_days: float | None
    liquidations: int
    rolls: int
    roll_cost: float  # fees, slippage and fixed costs of the trades that ended as a roll


@dataclass(frozen=True, slots=True)
class Rung:
    """Net profit if both legs had cost `side_bps` of each leg's traded value, all in, and no slippage."""

    label: str
    side_bps: float
    net_pnl: float
    net_bps_per_trade: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Trades that share a label, summed."""

    label: str
    trades: int
    net_pnl: float
    net_bps_per_trade: float | None
    parts: Parts


def summarize(result: StrategyResult) -> Summary:
    """Return the figures of one strategy."""
    capital = result.exported.starting_balance
    parts = result.parts
    years = (result.exported.end_ns - result.exported.begin_ns) / DAY_NS / DAYS_PER_YEAR
    traded = sum(trade.folded.perp_notional + trade.folded.spot_notional for trade in result.trades)
    gain = parts.net / capital
    rolls = [trade for trade in result.trades if trade.trade.exit_reason == "roll"]
    curve = result.curve
    return Summary(
        trades=len(result.trades),
        net_bps_per_trade=mean_bps(result.trades),
        return_on_capital=gain,
        annualized_return=_annualized(gain, years),
        max_drawdown=curve.max_drawdown,
        sharpe_daily=sharpe_daily(curve),
        time_in_position=float(curve.invested.mean()) if curve.equity.size else 0.0,
        average_exposure=float(curve.perp_value.mean()) / capital if curve.equity.size else 0.0,
        turnover_per_year=traded / capital / years if years > 0.0 else 0.0,
        break_even_days=break_even_days(result.trades),
        liquidations=sum(trade.trade.exit_reason == "liquidation" for trade in result.trades),
        rolls=len(rolls),
        roll_cost=sum((trading_cost(trade.folded.parts) for trade in rolls), 0.0),
    )


def mean_bps(trades: Iterable[TradeResult]) -> float | None:
    """Return the mean net of trades in bps of their entry notional, None without trades."""
    values = [trade.net_bps for trade in trades]
    return sum(values) / len(values) if values else None


def trading_cost(parts: Parts) -> float:
    """Return what entering and leaving cost: fees of both legs, slippage, fixed; quote, >= 0."""
    return parts.fees_perp + parts.fees_spot + parts.slippage + parts.fixed


def _annualized(gain: float, years: float) -> float | None:
    """Return the compound yearly return; None for a period below a day or an impossible result."""
    if years * DAYS_PER_YEAR < 1.0 or gain <= -1.0:
        return None
    exponent = math.log1p(gain) / years
    return math.expm1(exponent) if exponent < 50.0 else None


def sharpe_daily(curve: EquityCurve) -> float | None:
    """Return mean / sample standard deviation of daily equity changes x sqrt(365); None if undefined.

    A day's equity is its last marked close; a close at midnight belongs to the day that it ends.
    """
    if curve.equity.size == 0:
        return None
    days = pd.to_datetime(curve.at_ns - 1, unit="ns").floor("D")
    daily = pd.Series(curve.equity, index=days).groupby(level=0).last().to_numpy(dtype=np.float64)
    changes = np.diff(daily, prepend=curve.start)
    if changes.size < 2:
        return None
    spread = float(changes.std(ddof=1))
    return float(changes.mean()) / spread * math.sqrt(DAYS_PER_YEAR) if spread > 0.0 else None


def break_even_days(trades: Iterable[TradeResult]) -> float | None:
    """Return days of funding that pay for one trade: mean trading cost / mean funding received per day held.

    None when funding was not received on balance.
    """
    rows = list(trades)
    cost = sum(trading_cost(trade.folded.parts) for trade in rows)
    days = sum(float(trade.folded.at_ns[-1] - trade.folded.at_ns[0]) / DAY_NS for trade in rows)
    funding = sum(trade.folded.parts.funding_pnl for trade in rows)
    if not rows or days <= 0.0 or funding <= 0.0:
        return None
    return cost / len(rows) / (funding / days)


def cost_ladder(result: StrategyResult) -> list[Rung]:
    """Re-net the same fills at other costs: raw prices, no slippage; funding, borrow and fixed as booked.

    "k bps per side and leg": each fill of each leg pays k bps of its raw value, fees and slippage all in.
    "R bps round trip": entering and leaving with both legs, four fills, pays R bps in all, R/4 each.
    """
    rungs = [(f"{bps:g} bps per side and leg", bps) for bps in SIDE_RUNGS_BPS]
    rungs += [(f"{bps:g} bps round trip, both legs", bps / 4.0) for bps in ROUND_TRIP_RUNGS_BPS]
    ladder: list[Rung] = []
    for label, side_bps in rungs:
        nets = [_net_at(trade, side_bps) for trade in result.trades]
        each = [
            net / trade.folded.entry_notional / BPS for net, trade in zip(nets, result.trades, strict=True)
        ]
        ladder.append(Rung(label, side_bps, sum(nets), sum(each) / len(each) if each else None))
    return ladder


def _net_at(trade: TradeResult, side_bps: float) -> float:
    parts, folded = trade.folded.parts, trade.folded
    gross = parts.basis_pnl + parts.slippage + parts.funding_pnl - parts.borrow - parts.fixed
    return gross - side_bps * BPS * (folded.perp_notional + folded.spot_notional)


def settlement_bucket(hours: float) -> str:
    """Return the bucket (low, high] of hours to the next settlement; each is twice the one before.

    A trade exactly at a settlement has the whole next interval before it: 8 h falls into "4-8 h".
    """
    if math.isnan(hours):
        return "unknown"
    high = 1
    while hours > high:
        high *= 2
    return f"{high // 2}-{high} h"


def group_trades(
    trades: Iterable[TradeResult], label_of: Callable[[TradeResult], str], by_size: bool = False
) -> list[Group]:
    """Sum trades by label, labels in order of text, or of the number that they begin with."""
    groups: dict[str, list[TradeResult]] = {}
    for trade in trades:
        groups.setdefault(label_of(trade), []).append(trade)

    def place(label: str) -> tuple[float, str]:
        head = label.split("-", maxsplit=1)[0]
        return (float(head) if by_size and head.isdigit() else math.inf, label)

    return [
        Group(
            label=label,
            trades=len(groups[label]),
            net_pnl=sum(trade.net for trade in groups[label]),
            net_bps_per_trade=mean_bps(groups[label]),
            parts=sum((trade.folded.parts for trade in groups[label]), Parts()),
        )
        for label in sorted(groups, key=place)
    ]


def breakdowns(result: StrategyResult) -> dict[str, list[Group]]:
    """Return the groupings of the report, keyed by their names in its JSON."""
    trades = result.trades
    return {
        "by_hours_to_settlement_at_entry": group_trades(
            trades, lambda trade: settlement_bucket(trade.entry_hours), by_size=True
        ),
        "by_hours_to_settlement_at_exit": group_trades(
            trades, lambda trade: settlement_bucket(trade.exit_hours), by_size=True
        ),
        "by_exit_reason": group_trades(trades, lambda trade: trade.trade.exit_reason or "none"),
        "by_year": group_trades(trades, lambda trade: str(pd.Timestamp(trade.trade.close_ns).year)),
        "by_pair": group_trades(trades, lambda trade: trade.trade.pair),
    }

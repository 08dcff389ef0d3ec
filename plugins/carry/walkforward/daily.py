"""Daily profit of a table of trades, marked to market: the series that statistics and equity are made of.

Between two marks (fills, and midnights UTC) a pair with `q` base units short perp and long spot earns
q x (fall of the perp + rise of the spot + funding settled in between). What profit_abs holds beyond that sum,
the costs, is booked at the fills in proportion to what they traded, so the days of a trade sum to its profit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carry.market import load_market
from carry.tape import DAY_NS, Floats, Ints, build_closes, build_tape

_MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class DayMarks:
    """One pair's marks. `day_ns` midnights (n,), with the last traded closes, quote.

    `settle_ns` (f,), `settled` (f + 1,): funding received per base unit short, by the settlements before i.
    `spot_ns`, `spot_open` (s,): traded spot candles by their opening, for fills.
    """

    day_ns: Ints
    perp_px: Floats
    spot_px: Floats
    settle_ns: Ints
    settled: Floats
    spot_ns: Ints
    spot_open: Floats

    def funding(self, at_ns: Ints) -> Floats:
        """Return the funding per base unit settled up to and including each instant."""
        return self.settled[np.searchsorted(self.settle_ns, at_ns, side="right")]


def day_marks(datadir: Path, pair: str, timeframe: str) -> DayMarks:
    """Read one pair's marks; DataError where its files cannot be read."""
    market = load_market(datadir, pair, timeframe)
    tape, closes = build_tape(market), build_closes(market)
    known = ~np.isnan(closes.spot_close)
    close_ns = closes.close_ns[known]
    day_ns = np.arange(close_ns[0] // DAY_NS + 1, close_ns[-1] // DAY_NS + 1, dtype=np.int64) * DAY_NS
    row = np.searchsorted(close_ns, day_ns, side="right") - 1
    flows = np.nan_to_num(tape.settle_rate * tape.settle_mark_px, nan=0.0)
    settled = np.concatenate([[0.0], np.cumsum(flows)])
    perp_px, spot_px = closes.perp_close[known][row], closes.spot_close[known][row]
    return DayMarks(day_ns, perp_px, spot_px, tape.settle_ns, settled, tape.spot_ns, tape.spot_open)


def days_between(begin_ns: int, end_ns: int) -> Ints:
    """Return the ends of the days that [begin, end) touches, ns, ascending."""
    first, last = begin_ns // DAY_NS + 1, -(-end_ns // DAY_NS)
    return np.arange(first, last + 1, dtype=np.int64) * DAY_NS


def daily_profit(trades: pd.DataFrame, marks: dict[str, DayMarks], ends_ns: Ints) -> Floats:
    """Return the profit of each day, quote, shape (days,); `ends_ns` from `days_between`.

    A fill at midnight belongs to the day that begins. `trades` as Evaluator.evaluate returns them.
    """
    profit = np.zeros(ends_ns.size)
    for pair, orders, total in zip(trades["pair"], trades["orders"], trades["profit_abs"], strict=True):
        at_ns, parts = _trade_days(orders, float(total), marks[pair])
        place = np.searchsorted(ends_ns, at_ns, side="left")
        np.add.at(profit, np.minimum(place, ends_ns.size - 1), parts)
    return profit


def _trade_days(orders: list[dict[str, Any]], total: float, marks: DayMarks) -> tuple[Ints, Floats]:
    """Return instants and the profit booked at them, summing to `total`; costs one ns after their fill."""
    filled = sorted(orders, key=lambda order: int(order["order_filled_timestamp"]))
    fill_ns = np.array([int(order["order_filled_timestamp"]) for order in filled], dtype=np.int64) * _MS_NS
    fill_px = np.array([float(order["safe_price"]) for order in filled])
    qty = np.array([float(order["amount"]) * (1 if order["ft_is_entry"] else -1) for order in filled])
    rows = np.searchsorted(marks.spot_ns, fill_ns, side="left")
    spot_px = marks.spot_open[np.minimum(rows, marks.spot_ns.size - 1)]
    first, last = np.searchsorted(marks.day_ns, [fill_ns[0] + 1, fill_ns[-1]])
    inner = slice(int(first), int(last))
    at_ns = np.concatenate([fill_ns, marks.day_ns[inner]])
    order = np.argsort(at_ns, kind="stable")
    at_ns = at_ns[order]
    perp = np.concatenate([fill_px, marks.perp_px[inner]])[order]
    spot = np.concatenate([spot_px, marks.spot_px[inner]])[order]
    held = np.cumsum(np.concatenate([qty, np.zeros(last - first)])[order])
    earned = held[:-1] * (np.diff(spot) - np.diff(perp) + np.diff(marks.funding(at_ns)))
    traded = np.abs(qty) * fill_px
    costs = (total - earned.sum()) * traded / traded.sum()
    return np.concatenate([at_ns[1:], fill_ns + 1]), np.concatenate([earned, costs])

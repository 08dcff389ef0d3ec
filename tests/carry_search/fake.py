"""An evaluator whose profits are a formula: fast, and as deterministic as a real one."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from carry.tape import DAY_NS, HOUR_NS
from carry.walkforward.daily import DayMarks
from carry.walkforward.evaluator import TRADE_COLUMNS, Dimension, EvaluatorSource, Parameters, Space

PAIR = "BTC/USDT:USDT"
BALANCE = 1000.0
SPACE = (
    Dimension("threshold", "buy", 1, low=0, high=6, step=1),
    Dimension("hold", "sell", 12, choices=(6, 12, 18)),
    Dimension("strict", "sell", False, choices=(False, True)),
)


def marks(days: int) -> dict[str, DayMarks]:
    """Return constant prices of 100 and no funding."""
    day_ns = np.arange(days + 1, dtype=np.int64) * DAY_NS
    spot_ns = np.arange(days * 24, dtype=np.int64) * HOUR_NS
    px = np.full(days + 1, 100.0)
    no_settlement = np.empty(0, dtype=np.int64)
    return {PAIR: DayMarks(day_ns, px, px, no_settlement, np.zeros(1), spot_ns, np.full(days * 24, 100.0))}


def trade(
    opened_ns: int, held_h: int, profit: float, amount: float = 1.0, reason: str = "x"
) -> dict[str, Any]:
    """Return one trade at 100 as freqtrade names it."""
    closed_ns = opened_ns + held_h * HOUR_NS
    fills = ((opened_ns, True), (closed_ns, False))
    orders = [
        {"amount": amount, "safe_price": 100.0, "ft_is_entry": entry, "order_filled_timestamp": at // 10**6}
        for at, entry in fills
    ]
    times = {"open_date": pd.Timestamp(opened_ns, tz="UTC"), "close_date": pd.Timestamp(closed_ns, tz="UTC")}
    prices = {"amount": amount, "open_rate": 100.0, "close_rate": 100.0}
    return {"pair": PAIR, **times, **prices, "profit_abs": profit, "exit_reason": reason, "orders": orders}


class FakeEvaluator:
    """One trade a day; the best threshold drifts through the months; threshold 0 never trades."""

    def __init__(self, pause_s: float = 0.0, idle: bool = False) -> None:
        self._pause_s = pause_s
        self._idle = idle

    @property
    def balance(self) -> float:
        return BALANCE

    @property
    def pairs(self) -> tuple[str, ...]:
        return (PAIR,)

    def slow(self, strategy: str) -> bool:
        return strategy == "Beta"

    def space(self, strategy: str) -> Space:
        return () if strategy.startswith("Control") else SPACE

    def evaluate(
        self, strategy: str, sets: Sequence[Parameters], begin_ns: int, end_ns: int
    ) -> Sequence[pd.DataFrame]:
        time.sleep(self._pause_s)
        return [self._trades(strategy, one, begin_ns, end_ns) for one in sets]

    def _trades(self, strategy: str, one: Parameters, begin_ns: int, end_ns: int) -> pd.DataFrame:
        threshold, hold = int(one.get("threshold", 1)), int(one.get("hold", 12))
        rows = []
        for day_ns in range(-(-begin_ns // DAY_NS) * DAY_NS, end_ns - DAY_NS + 1, DAY_NS):
            day = day_ns // DAY_NS
            best = 1 + (day // 30) % 5
            profit = 3.0 - (threshold - best) ** 2 + 2.0 * np.sin(day * (1 + hold)) + len(strategy) / 100.0
            if threshold > 0 and not self._idle:
                rows.append(trade(day_ns + HOUR_NS, hold, float(profit)))
        return pd.DataFrame(rows, columns=list(TRADE_COLUMNS))


def source(pause_s: float = 0.0, idle: bool = False) -> EvaluatorSource:
    """Return the source of a fake evaluator."""
    return EvaluatorSource(FakeEvaluator, (pause_s, idle))

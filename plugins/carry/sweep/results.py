"""What the sweep says of one parameter set: trades, equity, and the figures by which sets are ranked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.rules import ExitReason
from carry.sweep import layout as at
from carry.sweep.layout import Floats, Ints, Reason
from carry.sweep.signals import Value

YEAR_DAYS = 365.0
REASONS = {
    Reason.LIQUIDATION: "liquidation",
    Reason.FORCE_EXIT: "force_exit",
    Reason.PERP_STOP: "stop_loss",
    Reason.PERP_TRAILING_STOP: "trailing_stop_loss",
} | {Reason[one.name]: one.value for one in ExitReason}
TAGS = {at.TAG_CARRY: "carry", at.TAG_ROLL: "roll"}


@dataclass(frozen=True, slots=True)
class SetResult:
    """One parameter set's run.

    `records`: (trades, columns of `layout`), in the order of closing; `fills`: (fills, 4): the trade's number
    (R_TRADE), row, base units (exits negative), price, in the order of filling. `equity`: (days,) quote, all
    capital marked at the last close of each UTC day that could be marked; `day_ms` the day's midnight. The
    last value is the final balance, everything closed. `deepest` is the drawdown over all closes, a positive
    fraction; `exposure` the mean perp value held as a share of the capital.
    """

    parameters: Mapping[str, Value]
    pairs: tuple[str, ...]
    wallet: float
    at_ms: Ints
    records: Floats
    fills: Floats
    day_ms: Ints
    equity: Floats
    deepest: float
    exposure: float

    @property
    def trades(self) -> int:
        """Return the number of closed trades."""
        return len(self.records)

    @property
    def net(self) -> float:
        """Return the profit of both legs after all costs, quote."""
        return float(self.records[:, at.R_PROFIT].sum())

    @property
    def return_on_capital(self) -> float:
        """Return the net as a fraction of the starting capital of both legs."""
        return self.net / self.wallet

    @property
    def daily_profit(self) -> Floats:
        """Return the change of equity per day, quote; the first against the starting capital."""
        return np.diff(self.equity, prepend=self.wallet)

    @property
    def sharpe(self) -> float | None:
        """Return mean / sample std of daily equity changes x sqrt(365); None without trades or variance."""
        changes = self.daily_profit
        if not self.trades or len(changes) < 2:
            return None
        spread = float(changes.std(ddof=1))
        return float(changes.mean()) / spread * math.sqrt(YEAR_DAYS) if spread > 0 else None

    def table(self) -> pd.DataFrame:
        """Return the trades with freqtrade's column names, in the order of closing. Dates are aware UTC."""
        rows = self.records
        opened = self.at_ms[rows[:, at.R_OPEN_ROW].astype(np.int64)]
        closed = self.at_ms[rows[:, at.R_CLOSE_ROW].astype(np.int64)]
        return pd.DataFrame(
            {
                "pair": [self.pairs[int(k)] for k in rows[:, at.R_PAIR]],
                "stake_amount": rows[:, at.R_STAKE],
                "amount": rows[:, at.R_AMOUNT],
                "open_date": pd.to_datetime(opened, unit="ms", utc=True),
                "close_date": pd.to_datetime(closed, unit="ms", utc=True),
                "open_rate": rows[:, at.R_OPEN_RATE],
                "close_rate": rows[:, at.R_CLOSE_RATE],
                "trade_duration": (closed - opened) // 60_000,
                "profit_ratio": rows[:, at.R_RATIO],
                "profit_abs": rows[:, at.R_PROFIT],
                "exit_reason": [REASONS[Reason(int(k))] for k in rows[:, at.R_REASON]],
                "enter_tag": [TAGS[int(k)] for k in rows[:, at.R_TAG]],
                "leverage": rows[:, at.R_LEVERAGE],
                "is_short": True,
            }
        )

    def orders(self) -> list[list[dict[str, float | int | bool]]]:
        """Return each trade's filled orders as freqtrade exports them, in the order of `table`."""
        numbers = self.fills[:, 0].astype(np.int64)
        at_ms = self.at_ms[self.fills[:, 1].astype(np.int64)]
        by_trade: dict[int, list[dict[str, float | int | bool]]] = {}
        for number, filled_ms, (qty, px) in zip(numbers, at_ms, self.fills[:, 2:], strict=True):
            by_trade.setdefault(int(number), []).append(
                {
                    "amount": abs(float(qty)),
                    "safe_price": float(px),
                    "ft_is_entry": bool(qty > 0),
                    "order_filled_timestamp": int(filled_ms),
                }
            )
        return [by_trade[int(number)] for number in self.records[:, at.R_TRADE]]

    def figures(self) -> dict[str, float | int | None]:
        """Return the figures of the sweep's table, by column."""
        return {
            "trades": self.trades,
            "net": self.net,
            "return_on_capital": self.return_on_capital,
            "sharpe": self.sharpe,
            "max_drawdown": self.deepest,
            "average_exposure": self.exposure,
        }

"""What `HedgedStrategy` asks of the spot leg, whether it is replayed from candles or really traded.

`recorded_leg.RecordedLeg` answers in backtests and hyperopt, `live.LiveLeg` in dry-run and live. The
strategy's rules, sizing and exits are the same code for both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pandas as pd

from hedge_leg.recorded import SignalRows


@dataclass(frozen=True, slots=True)
class History:
    """A pair's market far back, as `carry.market` reads it: nothing filled. `open_interest` None: unknown."""

    perp: pd.DataFrame
    spot: pd.DataFrame
    funding: pd.DataFrame
    open_interest: pd.DataFrame | None = None


class Leg(Protocol):
    """The spot leg of a running strategy. Times in Unix ms, amounts in quote or base units."""

    def features(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Return the columns of `carry.features` for closed perp candles; CarryError where not covered."""
        ...

    def funding(self, pair: str) -> pd.DataFrame:
        """Return all settlements of a pair that the run knows: date, funding_rate. Asked after `features`."""
        ...

    def history(self, pair: str, candles: pd.DataFrame, hours: int) -> History:
        """Return the market up to the last candle, from `hours` before it or as far as there is one."""
        ...

    def spot_capital(self) -> tuple[float, float] | None:
        """Return (free quote, cost of the inventory) of a spot account of its own; None: one pot for both."""
        ...

    def confirm_entry(self, pair: str, amount: float, rate: float, leverage: float, now_ms: int) -> bool:
        """Return whether the pair may be opened now; a live leg has journaled it then."""
        ...

    def confirm_exit(self, pair: str, reason: str, now_ms: int) -> bool:
        """Return whether the perp may be closed now; a live leg has sold the spot then."""
        ...

    def urgent_exit(self, trade: Any, rows: SignalRows | None, rate: float, now: datetime) -> str | None:
        """Return why a pair must be left before its rules are asked; None normally, always in a backtest.

        An exit that was begun and has to be finished, or the risk guard's.
        """
        ...

    def size_limit(self, pair: str, held: float) -> float:
        """Return the most base units that a pair may have: inf, `held` (no growth), or less (shrink)."""
        ...

    def settled_between(self, pair: str, after_ms: int, until_ms: int) -> bool:
        """Return whether a settlement lies in (after, until]."""
        ...

    def pnl_bps(self, trade: Any, rows: SignalRows, now_ms: int) -> float:
        """Return the pair's net P&L at the last closed candle, in bps of the entry notional, or NaN."""
        ...

    def may_resize(self, pair: str, now_ms: int) -> bool:
        """Return whether both legs may be changed now."""
        ...

    def resize_asked(self, pair: str, qty: float) -> bool:
        """Note that freqtrade is asked to change the perp by signed base units (more short: negative).

        False: it must not be asked now, because an earlier change is not accounted for yet.
        """
        ...

    def order_filled(self, trade: Any, order: Any) -> None:
        """Book a filled perp order of freqtrade; a live leg follows it on spot first."""
        ...

    def liquidation_high(self, pair: str, now_ms: int, perp_high: float) -> float:
        """Return the highest price that can liquidate a short in the candle opened at `now_ms`."""
        ...

    def tick(self) -> None:
        """Do what a bot loop needs."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


# a perp pair, its closed candles and how many hours back -> the market until then
HistorySource = Callable[[str, pd.DataFrame, int], History]
# a perp pair and its closed candles -> its features, from whatever market the host has
FeatureSource = Callable[[str, pd.DataFrame], pd.DataFrame]

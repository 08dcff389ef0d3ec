"""The spot leg of a backtest: a pure fold over each trade's filled orders and the recorded candles."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from carry.features import carry_features
from carry.market import (
    CANDLE_COLUMNS,
    OPEN_INTEREST_COLUMNS,
    OPEN_INTEREST_TIMEFRAME,
    candle_path,
    load_market,
    read_candles,
    timeframe_delta,
)
from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.mirror import MirroredTrade, mirror
from hedge_leg.leg import History
from hedge_leg.recorded import RecordedMarket, SignalRows, before, load_recorded
from hedge_leg.trade_view import filled_orders, perp_fills, pnl_bps


@dataclass(slots=True)
class RecordedLeg:
    """A `Leg` over the candles of a data folder. Nothing but the markets is kept between callbacks."""

    settings: HedgeLegConfig
    datadir: Path
    timeframe: str
    detail: str | None
    markets: dict[str, RecordedMarket] = field(default_factory=dict)
    settlements: dict[str, pd.DataFrame] = field(default_factory=dict)

    def features(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Load the pair's market for the run and return its features; DataError where it is not covered."""
        first, last = candles["date"].iloc[0], candles["date"].iloc[-1]
        market, self.markets[pair] = load_recorded(
            self.datadir, pair, self.timeframe, self.detail, first, last
        )
        self.settlements[pair] = market.funding
        perp = candles.loc[:, list(CANDLE_COLUMNS)]
        return carry_features(perp, market.spot, market.funding, self.timeframe)

    def funding(self, pair: str) -> pd.DataFrame:
        """Return the pair's recorded settlements up to the run's end."""
        return self.settlements[pair]

    def history(self, pair: str, candles: pd.DataFrame, hours: int) -> History:  # noqa: ARG002
        """Return all that is recorded before the run's end: bounded windows do not mind more."""
        stop = candles["date"].iloc[-1] + timeframe_delta(self.timeframe)
        market = load_market(self.datadir, pair, self.timeframe)
        perp, spot, funding = (before(stop, frame) for frame in (market.perp, market.spot, market.funding))
        path = candle_path(self.datadir, pair, OPEN_INTEREST_TIMEFRAME, "open_interest")
        if not path.is_file():
            return History(perp, spot, funding)
        return History(perp, spot, funding, before(stop, read_candles(path, OPEN_INTEREST_COLUMNS)))

    def spot_capital(self) -> tuple[float, float] | None:
        """Return None: a backtest has one wallet for both legs."""
        return None

    def confirm_entry(self, pair: str, amount: float, rate: float, leverage: float, now_ms: int) -> bool:  # noqa: ARG002
        """Return whether spot is traded in the candle that opens now."""
        return self.markets[pair].traded_at(now_ms)

    def confirm_exit(self, pair: str, reason: str, now_ms: int) -> bool:  # noqa: ARG002
        """Return whether spot is traded in the candle that opens now."""
        return self.markets[pair].traded_at(now_ms)

    def urgent_exit(self, trade: Any, rows: SignalRows | None, rate: float, now: datetime) -> str | None:  # noqa: ARG002
        """Return None: both legs of a backtest fill together, and the guard is a trading bot's."""
        return None

    def size_limit(self, pair: str, held: float) -> float:  # noqa: ARG002
        """Return inf: the guard is a trading bot's."""
        return float("inf")

    def settled_between(self, pair: str, after_ms: int, until_ms: int) -> bool:
        """Return whether a settlement lies in (after, until]."""
        return self.markets[pair].settled_between(after_ms, until_ms)

    def pnl_bps(self, trade: Any, rows: SignalRows, now_ms: int) -> float:
        """Return the pair's net P&L at the last closed candle, in bps of the entry notional, or NaN."""
        return pnl_bps(self._mirror(trade), self.markets[trade.pair], rows, now_ms)

    def may_resize(self, pair: str, now_ms: int) -> bool:
        """Return whether spot is traded in the candle that opens now."""
        return self.markets[pair].traded_at(now_ms)

    def resize_asked(self, pair: str, qty: float) -> bool:  # noqa: ARG002
        """Return True: a backtest loses no orders."""
        return True

    def order_filled(self, trade: Any, order: Any) -> None:
        """Set the order's cash slot so that the trade's orders sum to what the pair has earned so far.

        freqtrade passes a deep copy of the trade, but the order itself. Its own funding sum is replaced:
        it counts a settlement twice when a position changes exactly then.
        """
        booked = float(self._mirror(trade).booked)
        others = (other for other in filled_orders(trade) if other.order_id != order.order_id)
        order.funding_fee = booked - sum(other.funding_fee or 0.0 for other in others)

    def liquidation_high(self, pair: str, now_ms: int, perp_high: float) -> float:
        """Return the highest price that can liquidate a short in the candle opened at `now_ms`."""
        return self.markets[pair].liquidation_high(now_ms, perp_high)

    def tick(self) -> None:
        """Do nothing: a backtest has no loop."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _mirror(self, trade: Any) -> MirroredTrade:
        """Fold the trade's filled orders into the pair's books."""
        base = trade.safe_base_currency
        return mirror(perp_fills(trade), self.markets[trade.pair], self.settings.terms(base), base=base)

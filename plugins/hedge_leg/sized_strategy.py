"""SizedStrategy: a hedged pair whose size follows an exposure between 0 and 1 of its full stake.

A strategy states one rule more than `HedgedStrategy`: `exposures(frame, hold)`. The stake of an entry is the
pair's full stake times the exposure of the row that decided it; while the pair is open both legs are resized
to what `carry.regime_rules.resized_exposure` says. Exposure is counted in quantity, so a price that moves is
no reason to trade.
"""

import logging
from abc import abstractmethod
from datetime import datetime
from typing import Any

import pandas as pd

from carry.execution_gauge import ExecutionGauge, book_state
from carry.regime_rules import Exposures, VetoLimits, resized_exposure
from hedge_leg.freqtrade_host import HedgedStrategy
from hedge_leg.recorded_leg import RecordedLeg
from hedge_leg.trade_view import epoch_ms_of, filled_orders

logger = logging.getLogger(__name__)

EXPOSURE_KEY = "entry_exposure"
_BOOK_LEVELS = 20
_BOOK_MS = 60_000


class SizedStrategy(HedgedStrategy):
    """Base of strategies that size their pairs by a rule. In freqtrade: position adjustment."""

    position_adjustment_enable = True
    veto_limits = VetoLimits()

    def __init__(self, config: dict[str, Any]) -> None:
        """Begin without exposures: they belong to each analysed frame."""
        super().__init__(config)
        self._exposures: dict[str, tuple[Exposures, float]] = {}
        self._gauge = ExecutionGauge()
        self._observed_ms = 0

    @abstractmethod
    def exposures(self, frame: pd.DataFrame, hold: "pd.Series[bool]") -> tuple[Exposures, float]:
        """Return the exposures of each row, and the band of exposure that is not worth an order."""

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Keep the exposures of each row beside the exits."""
        marked = super().populate_exit_trend(dataframe, metadata)
        self._exposures[metadata["pair"]] = self.exposures(dataframe, marked["exit_short"] == 0)
        return marked

    def custom_stake_amount(
        self, pair: str, *args: Any, proposed_stake: float, leverage: float, **kwargs: Any
    ) -> float:
        """Return the full stake times the exposure of the candle that has just closed."""
        full = super().custom_stake_amount(
            pair, *args, proposed_stake=proposed_stake, leverage=leverage, **kwargs
        )
        return full * self._opening_exposure(pair, epoch_ms_of(kwargs["current_time"]))

    def _opening_exposure(self, pair: str, at_ms: int) -> float:
        exposures, _ = self._exposures[pair]
        return float(exposures.opening[self._rows[pair].last_closed(at_ms)])

    def resize(self, trade: Any, current_time: datetime, max_stake: float) -> float | None:  # noqa: ARG002
        """Return the change of margin that brings both legs to the exposure wanted, None for none."""
        rows = self._rows.get(trade.pair)
        filled = filled_orders(trade)
        if rows is None or not filled:
            return None
        row = rows.last_closed(epoch_ms_of(current_time))
        exposures, band = self._exposures[trade.pair]
        full_qty = filled[0].safe_amount_after_fee / self._entry_exposure(trade)
        held = trade.amount / full_qty
        wanted = resized_exposure(held, float(exposures.grow_to[row]), float(exposures.shrink_to[row]), band)
        if wanted is None:
            return None
        if wanted < held:
            return -float(trade.stake_amount * (1.0 - wanted / held))
        return float((wanted - held) * full_qty * rows.perp_close[row] / trade.leverage)

    def _entry_exposure(self, trade: Any) -> float:
        """Return what share of the full stake the entry was; a trading bot has noted it with the trade."""
        if isinstance(self.leg, RecordedLeg):
            return self._opening_exposure(trade.pair, epoch_ms_of(trade.open_date_utc))
        return float(trade.get_custom_data(EXPOSURE_KEY, default=1.0))

    def order_filled(self, pair: str, trade: Any, order: Any, current_time: datetime, **kwargs: Any) -> None:
        """Book the fill, then note the exposure of an entry: a bot's frame may not reach back to it later."""
        super().order_filled(pair, trade, order, current_time, **kwargs)
        if not isinstance(self.leg, RecordedLeg) and len(filled_orders(trade)) == 1:
            at_ms = epoch_ms_of(trade.open_date_utc)
            trade.set_custom_data(EXPOSURE_KEY, self._opening_exposure(pair, at_ms))

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Look after the legs, then look at the books: once a minute, of the whitelist."""
        super().bot_loop_start(current_time, **kwargs)
        now_ms = epoch_ms_of(current_time)
        if isinstance(self.leg, RecordedLeg) or now_ms - self._observed_ms < _BOOK_MS:
            return
        self._observed_ms = now_ms
        for pair in self.dp.current_whitelist():
            try:
                book = self.dp.orderbook(pair, _BOOK_LEVELS)
                self._gauge.observe(pair, book_state(book["bids"], book["asks"]))
            except Exception as error:  # a veto that cannot be judged is neutral
                logger.warning("%s: its book was not seen, no veto by it: %s", pair, error)

    def confirm_trade_entry(self, pair: str, *args: Any, **kwargs: Any) -> bool:
        """Refuse an entry into a book that is unusually wide or thin; a backtest knows no books."""
        limits = self.veto_limits
        why = self._gauge.veto(pair, limits.spread_percentile, limits.depth_percentile)
        if why is not None:
            logger.info("%s: entry refused: %s", pair, why)
            return False
        return super().confirm_trade_entry(pair, *args, **kwargs)

"""HedgedStrategy: where freqtrade calls in. A strategy that inherits it trades pairs, not perps.

freqtrade trades the perp; this class prices, books and limits the spot leg so that every profit freqtrade
shows is the pair's (`docs/accounting.md`). A strategy states its parameters and four rules:

    entry_rule(frame) -> bool Series     open the pair at the next open
    hold_rule(frame)  -> bool Series     while False, close it (signal off); True everywhere by default
    exit_policy()     -> ExitPolicy      limits on an open pair
    resize(...)       -> stake change    optional position adjustment

It fails closed: anything unexpected refuses the entry, and a booking that fails poisons the trade's profit
with NaN and stops the run at the next candle, because a profit of one leg must never be shown. In dry-run and
live the spot leg is traded by `live.LiveLeg`; every callback asks it first.
"""

import logging
from abc import abstractmethod
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from freqtrade.enums import ExitCheckTuple, ExitType, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_minutes
from freqtrade.persistence import LocalTrade, Order, Trade
from freqtrade.strategy import IStrategy

from carry.errors import CarryError
from carry.market import CANDLE_COLUMNS, spot_symbol
from carry.rules import ExitPolicy, ExitReason, fills_at_settlement, settles_soon
from hedge_leg.adapters.credentials import take_credentials
from hedge_leg.config import HedgeLegConfig, read_config
from hedge_leg.errors import HedgeError
from hedge_leg.freqtrade_exits import liquidated_first
from hedge_leg.leg import Leg
from hedge_leg.pair_exit import pair_exit
from hedge_leg.recorded import SignalRows
from hedge_leg.recorded_leg import RecordedLeg
from hedge_leg.resizing import stake_change
from hedge_leg.sizing import Capital, capital, entry_stake
from hedge_leg.trade_view import epoch_ms_of

logger = logging.getLogger(__name__)

ENTRY_TAG = "carry"
REENTRY_TAG = "roll"
_FORCED_EXITS = frozenset({"force_exit", "emergency_exit", "liquidation"})


class HedgedStrategy(IStrategy):
    """Base of every hedged strategy: short perp + long spot, booked as one number."""

    INTERFACE_VERSION = 3
    can_short = True
    timeframe = "1h"
    startup_candle_count = 300  # 72 h of 15m candles and some
    process_only_new_candles = True
    use_exit_signal = True
    minimal_roi: ClassVar[dict[str, float]] = {"0": 100.0}  # a pair has no return target of one leg
    stoploss = -0.99  # the roll acts long before; a stop on one leg would leave the other naked
    order_types: ClassVar[dict[str, Any]] = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }

    def __init__(self, config: dict[str, Any]) -> None:
        """Validate the hedge_leg block; one line of freqtrade's own error if it is wrong."""
        super().__init__(config)
        try:
            block = config.get("hedge_leg")
            self._credentials = take_credentials(block) if isinstance(block, dict) else None
            self.hedge: HedgeLegConfig = read_config(block)
        except HedgeError as error:
            raise OperationalException(str(error)) from error
        self._leg: Leg | None = None
        self.resizes = True  # whether `resize` is asked: a bot's guard may adjust positions without it
        self._rows: dict[str, SignalRows] = {}
        self._failure: str | None = None

    @abstractmethod
    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows at whose next open the pair may be opened. Columns: carry.features."""

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows where an open pair is kept; the default keeps it."""
        return pd.Series(True, index=frame.index)

    def exit_policy(self) -> ExitPolicy:
        """Return the limits on an open pair; the default has none but the roll."""
        return ExitPolicy()

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Return a change of the perp margin in quote (both legs follow), or None."""
        return None

    @property
    def trading(self) -> bool:
        """Return whether this is a trading bot, dry or live, and not a backtest."""
        return self.config.get("runmode") in (RunMode.LIVE, RunMode.DRY_RUN)

    def held_pairs(self) -> list[str]:
        """Return the pairs that freqtrade has open trades of now."""
        return [str(trade.pair) for trade in Trade.get_open_trades()]

    @property
    def leg(self) -> Leg:
        """Return the spot leg: of recorded candles, unless a trading bot has started a live one."""
        if self._leg is None:
            datadir, detail = Path(self.config["datadir"]), self.config.get("timeframe_detail")
            self._leg = RecordedLeg(self.hedge, datadir, self.timeframe, detail)
        return self._leg

    def bot_start(self, **kwargs: Any) -> None:
        """Start the spot leg of a trading bot, or refuse to start it with one line."""
        if not self.trading:
            return
        from hedge_leg.freqtrade_bot import start_live_leg  # noqa: PLC0415 - not for backtest workers

        try:
            self._leg = start_live_leg(self, self.hedge, self._credentials)
        except HedgeError as error:
            raise ValueError(f"hedge_leg: {error}") from error

    def ft_bot_cleanup(self) -> None:
        """Release the journal: at the end of the bot, and before a reloaded one opens it."""
        super().ft_bot_cleanup()
        if self._leg is not None:
            self._leg.close()

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Reconcile both legs and act on what was found; a failure is told, and tried again next loop."""
        try:
            self.leg.tick()
        except Exception as error:  # freqtrade would swallow it
            logger.exception("the spot leg's loop failed")
            self.dp.send_msg(f"hedge_leg: the loop failed: {error}", always_send=True)

    def informative_pairs(self) -> list[tuple[str, str, str]]:
        """Ask freqtrade for the settlements of every pair, and where it stores them for spot candles.

        A trading freqtrade would serve the perp's candles for them (`live_market.SpotMarket`).
        """
        pairs = self.dp.current_whitelist()
        spot = [] if self.trading else [(spot_symbol(pair), self.timeframe, "spot") for pair in pairs]
        return spot + [(pair, "1h", "funding_rate") for pair in pairs]

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Add the columns of `carry.features`; stops the run where data is not covered."""
        try:
            features = self.features_of(metadata["pair"], dataframe)
        except CarryError as error:
            raise OperationalException(str(error)) from error
        added = features.drop(columns=[name for name in CANDLE_COLUMNS if name in features])
        return pd.concat([dataframe, added.set_index(dataframe.index)], axis=1)

    def features_of(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Return the columns the rules read, one row per candle; CarryError where data is not covered."""
        return self.leg.features(pair, candles)

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Mark entries, and rows where a pair that was just rolled may be opened again."""
        entry, hold = self.entry_rule(dataframe), self.hold_rule(dataframe)
        open_to_fill = dataframe["spot_traded"].astype(bool) & ~fills_at_settlement(
            dataframe, timeframe_to_minutes(self.timeframe) / 60.0
        )
        reentry = hold & dataframe["funding_bps"].notna()
        dataframe["enter_short"] = ((entry | reentry) & open_to_fill).astype(int)
        dataframe["enter_tag"] = np.where(entry, ENTRY_TAG, REENTRY_TAG)
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Mark rows where the signal is off; keep what the scalar rules need to know of each row."""
        off = ~self.hold_rule(dataframe)
        dataframe["exit_short"] = off.astype(int)
        dataframe["exit_tag"] = np.where(off, ExitReason.SIGNAL_OFF.value, "")
        entry_on = (dataframe["enter_tag"] == ENTRY_TAG) & (dataframe["enter_short"] == 1)
        self._rows[metadata["pair"]] = SignalRows(dataframe, entry_on, self.exit_policy(), self.timeframe)
        return dataframe

    def leverage(self, pair: str, *args: Any, max_leverage: float, **kwargs: Any) -> float:
        """Return the configured leverage, never more than the exchange allows."""
        return min(self.hedge.leverage, max_leverage)

    def custom_stake_amount(
        self, pair: str, *args: Any, proposed_stake: float, leverage: float, **kwargs: Any
    ) -> float:
        """Return the perp margin for which the pair's share of the capital pays for both legs (`sizing`)."""
        try:
            there = self._capital()
        except HedgeError as error:
            logger.warning("%s: no entry, the spot account cannot be read: %s", pair, error)
            return 0.0
        return entry_stake(
            self.hedge,
            there,
            leverage,
            stake_amount=self.config["stake_amount"],
            slots=float(self.max_open_trades),
            amend=bool(self.config.get("amend_last_stake_amount", False)),
        )

    def _capital(self) -> Capital:
        ratio = float(self.config.get("tradable_balance_ratio", 1.0))
        return capital(self.hedge, self.leg, self.wallets, Trade.get_open_trades(), ratio)

    def confirm_trade_entry(
        self,
        pair: str,
        *args: Any,
        current_time: datetime,
        entry_tag: str | None,
        amount: float = 0.0,
        rate: float = 0.0,
        side: str = "short",
        **kwargs: Any,
    ) -> bool:
        """Allow an entry only if both legs can be filled now. Never raises: freqtrade fails open."""
        try:
            seen = self.dp.get_analyzed_dataframe(pair, self.timeframe)[0] if self.trading else pd.DataFrame()
            rolled = entry_tag != REENTRY_TAG or self._just_rolled(pair, current_time)
            if side != "short" or not rolled or settles_soon(seen, self.timeframe, current_time):
                return False
            return self.leg.confirm_entry(pair, amount, rate, self.hedge.leverage, epoch_ms_of(current_time))
        except Exception:
            logger.exception("%s: entry refused, the gate itself failed", pair)
            return False

    def confirm_trade_exit(
        self, pair: str, *args: Any, exit_reason: str, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Refuse to close the perp while spot cannot be sold. Never raises: freqtrade fails open.

        In a backtest a forced exit always passes: the run ends there.
        """
        if exit_reason in _FORCED_EXITS and isinstance(self.leg, RecordedLeg):
            return True
        try:
            return self.leg.confirm_exit(pair, exit_reason, epoch_ms_of(current_time))
        except Exception as error:
            logger.exception("%s: exit refused, the gate itself failed", pair)
            self.dp.send_msg(f"{pair}: exit ({exit_reason}) refused: {error}", always_send=True)
            return False

    def _just_rolled(self, pair: str, now: datetime) -> bool:
        window = timedelta(minutes=2 * timeframe_to_minutes(self.timeframe))
        closed = Trade.get_trades_proxy(pair=pair, is_open=False, close_date=now - window)
        return any(trade.exit_reason == ExitReason.ROLL.value for trade in closed)

    def should_exit(
        self, trade: Trade, rate: float, current_time: datetime, **kwargs: Any
    ) -> list[ExitCheckTuple]:
        """Add the pair's exits to freqtrade's, and judge liquidation of a short by the mark's high.

        Not `custom_exit`: freqtrade deep-copies the trade for that at every candle, which doubles a
        backtest (ADR 3). Also the one callback whose exceptions freqtrade lets through: a booking that
        failed stops the run here.
        """
        if self._failure is not None:
            raise OperationalException(self._failure)
        high, liquidation_px = kwargs.get("high"), trade.liquidation_price
        if trade.is_short and high is not None and liquidation_px and high >= liquidation_px:
            kwargs["high"] = self.leg.liquidation_high(trade.pair, epoch_ms_of(current_time), high)
        rows = self._rows.get(trade.pair)  # none: a trading bot without data decides nothing
        urgent = self.leg.urgent_exit(trade, rows, rate, current_time)
        if urgent is not None:
            return [ExitCheckTuple(ExitType.CUSTOM_EXIT, urgent)]
        exits: list[ExitCheckTuple] = super().should_exit(trade, rate, current_time, **kwargs)
        if exits:
            exits = [liquidated_first(check, trade, kwargs.get("high")) for check in exits]
            if any(check.exit_type is ExitType.EXIT_SIGNAL for check in exits):
                return exits
        reason = pair_exit(self.leg, self.hedge, rows, trade, rate, current_time) if rows else None
        if reason is not None:
            exits.insert(0, ExitCheckTuple(ExitType.CUSTOM_EXIT, reason.value))
        return exits

    def adjust_trade_position(
        self, trade: Trade, current_time: datetime, *args: Any, max_stake: float, **kwargs: Any
    ) -> float | None:
        """Resize both legs as strategy and guard ask, never while spot is not traded or beyond the cash."""
        return stake_change(self, trade, current_time, max_stake, kwargs["current_rate"])

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Follow the perp with the spot leg and book it; a booking that fails poisons a backtest's profit."""
        try:
            self.leg.order_filled(trade, order)
        except Exception as error:
            failure = f"{pair}: the spot leg could not be booked at {current_time}: {error}"
            logger.exception("%s", failure)
            if isinstance(self.leg, RecordedLeg):
                order.funding_fee = float("nan")
                self._failure = failure
            else:
                self.dp.send_msg(failure, always_send=True)

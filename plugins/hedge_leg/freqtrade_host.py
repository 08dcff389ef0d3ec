"""HedgedStrategy: the only importer of freqtrade. A strategy that inherits it trades pairs, not perps.

freqtrade trades the perp; this class prices, books and limits the spot leg so that every profit freqtrade
shows is the pair's (`docs/accounting.md`). A strategy states its parameters and four rules:

    entry_rule(frame) -> bool Series     open the pair at the next open
    hold_rule(frame)  -> bool Series     while False, close it (signal off); True everywhere by default
    exit_policy()     -> ExitPolicy      limits on an open pair
    resize(...)       -> stake change    optional position adjustment

It fails closed: anything unexpected refuses the entry, and a booking that fails poisons the trade's profit
with NaN and stops the run at the next candle, because a profit of one leg must never be shown.
"""

import logging
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

from carry.coverage import require_coverage
from carry.errors import CarryError
from carry.features import carry_features
from carry.market import CANDLE_COLUMNS, Market, load_market, spot_symbol
from carry.rules import ExitPolicy, ExitReason, PairView, decide_exit, fills_at_settlement
from hedge_leg.config import HedgeLegConfig, read_config
from hedge_leg.core.amounts import exact
from hedge_leg.core.mirror import MirroredTrade, PerpFill, mirror
from hedge_leg.errors import HedgeError
from hedge_leg.recorded import RecordedMarket, SignalRows, record_market

logger = logging.getLogger(__name__)

ENTRY_TAG = "carry"
REENTRY_TAG = "roll"
_OFF_OPEN_TAGS = frozenset({"liquidation", "stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "roi"})
_FORCED_EXITS = frozenset({"force_exit", "emergency_exit", "liquidation"})
_HOUR_MS = 3_600_000
_BPS = 1e-4
# Share of the entry's own distance to liquidation that may be used up, whatever `roll_distance` says.
_MAX_ROLL_SHARE = 0.8


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
            self.hedge: HedgeLegConfig = read_config(config.get("hedge_leg"))
        except HedgeError as error:
            raise OperationalException(str(error)) from error
        self._markets: dict[str, RecordedMarket] = {}
        self._rows: dict[str, SignalRows] = {}
        self._failure: str | None = None

    # --- rules that a strategy states -------------------------------------------------------------

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows at whose next open the pair may be opened. Columns: carry.features."""
        raise NotImplementedError(f"{type(self).__name__} states no entry_rule")

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Return rows where an open pair is kept; the default keeps it."""
        return pd.Series(True, index=frame.index)

    def exit_policy(self) -> ExitPolicy:
        """Return the limits on an open pair; the default has none but the roll."""
        return ExitPolicy()

    def resize(self, trade: LocalTrade, current_time: datetime, max_stake: float) -> float | None:
        """Return a change of the perp margin in quote (both legs follow), or None."""
        return None

    # --- start ------------------------------------------------------------------------------------

    def bot_start(self, **kwargs: Any) -> None:
        """Refuse to trade one leg: this version hedges in backtests only."""
        if self.config.get("runmode") in (RunMode.LIVE, RunMode.DRY_RUN):
            raise ValueError(
                "hedge_leg of this version hedges in backtesting and hyperopt only: "
                "freqtrade trade would open a naked perp, so it is refused"
            )

    def informative_pairs(self) -> list[tuple[str, str, str]]:
        """Ask freqtrade for the spot candles and settlements of every pair."""
        pairs = self.dp.current_whitelist()
        spot = [(spot_symbol(pair), self.timeframe, "spot") for pair in pairs]
        return spot + [(pair, "1h", "funding_rate") for pair in pairs]

    # --- signals ----------------------------------------------------------------------------------

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Add the columns of `carry.features`; stops the run where data is not covered."""
        pair = metadata["pair"]
        try:
            market = self._load(pair, dataframe)
            features = carry_features(
                dataframe.loc[:, list(CANDLE_COLUMNS)], market.spot, market.funding, self.timeframe
            )
        except CarryError as error:
            raise OperationalException(str(error)) from error
        added = features.drop(columns=[name for name in CANDLE_COLUMNS if name in features])
        return pd.concat([dataframe, added.set_index(dataframe.index)], axis=1)

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

    # --- gates and size ---------------------------------------------------------------------------

    def leverage(self, pair: str, *args: Any, max_leverage: float, **kwargs: Any) -> float:
        """Return the configured leverage, never more than the exchange allows."""
        return min(self.hedge.leverage, max_leverage)

    def custom_stake_amount(
        self, pair: str, *args: Any, proposed_stake: float, leverage: float, **kwargs: Any
    ) -> float:
        """Return the perp margin for which the pair's share of the capital pays for both legs.

        A fixed `stake_amount` is the capital of one pair, and without that much free there is no entry
        unless `amend_last_stake_amount` is set; "unlimited" splits all capital over `max_open_trades`.
        What open pairs tie up in both legs is never spent twice.
        """
        total = float(self.wallets.get_total_stake_amount())
        free = total - self._tied_up()
        if self.config["stake_amount"] == "unlimited":
            slots = float(self.max_open_trades)
            share = total / slots if 0 < slots < float("inf") else free
        else:
            share = float(self.config["stake_amount"])
            if free < share and not self.config.get("amend_last_stake_amount", False):
                return 0.0
        return self.hedge.stake_for(min(share, free), leverage)

    def _tied_up(self) -> float:
        """Return the capital in open pairs: perp margin, spot at cost, entry costs and buffer."""
        reserve = self.hedge.costs.side_bps * _BPS + self.hedge.cash_buffer
        open_trades: list[Trade] = Trade.get_open_trades()
        return float(sum(t.stake_amount + t.amount * t.open_rate * (1.0 + reserve) for t in open_trades))

    def confirm_trade_entry(
        self, pair: str, *args: Any, current_time: datetime, entry_tag: str | None, **kwargs: Any
    ) -> bool:
        """Allow an entry only if both legs can be filled now. Never raises: freqtrade fails open."""
        try:
            if entry_tag == REENTRY_TAG and not self._just_rolled(pair, current_time):
                return False
            return self._market(pair).traded_at(_ms(current_time))
        except Exception:
            logger.exception("%s: entry refused, the gate itself failed", pair)
            return False

    def confirm_trade_exit(
        self, pair: str, *args: Any, exit_reason: str, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Refuse to close the perp while spot cannot be sold; a forced exit always passes."""
        if exit_reason in _FORCED_EXITS:
            return True
        return self._market(pair).traded_at(_ms(current_time))

    def _just_rolled(self, pair: str, now: datetime) -> bool:
        window = timedelta(minutes=2 * timeframe_to_minutes(self.timeframe))
        closed = Trade.get_trades_proxy(pair=pair, is_open=False, close_date=now - window)
        return any(trade.exit_reason == ExitReason.ROLL.value for trade in closed)

    # --- exits ------------------------------------------------------------------------------------

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
            kwargs["high"] = self._market(trade.pair).liquidation_high(_ms(current_time), high)
        exits: list[ExitCheckTuple] = super().should_exit(trade, rate, current_time, **kwargs)
        if exits:
            exits = [_liquidated_first(check, trade, kwargs.get("high")) for check in exits]
            if any(check.exit_type is ExitType.EXIT_SIGNAL for check in exits):
                return exits
        reason = self._pair_exit(trade, rate, current_time)
        if reason is not None:
            exits.insert(0, ExitCheckTuple(ExitType.CUSTOM_EXIT, reason.value))
        return exits

    def _pair_exit(self, trade: Trade, rate: float, current_time: datetime) -> ExitReason | None:
        """Decide on the pair at this open, from what was known when the last candle closed."""
        rows = self._rows[trade.pair]
        distance = _liquidation_distance(trade, rate)
        roll_distance = min(
            self.hedge.roll_distance, _MAX_ROLL_SHARE * _liquidation_distance(trade, trade.open_rate)
        )
        if rows.policy.is_open_ended and distance >= roll_distance:
            return None  # what `decide_exit` would say, without asking it at every candle
        now_ms, opened_ms = _ms(current_time), _ms(trade.open_date_utc)
        row = rows.last_closed(now_ms)
        view = PairView(
            held_h=(now_ms - opened_ms) / _HOUR_MS,
            entry_on=bool(rows.entry_on[row]),
            settled=self._market(trade.pair).settled_between(opened_ms, now_ms),
            negative_funding_h=float(rows.negative_funding_h[row]),
            pnl_bps=self._pnl_bps(trade, now_ms, rows, row) if rows.policy.needs_pnl else float("nan"),
            exit_cost_bps=self.hedge.costs.side_bps,
            liquidation_distance=distance,
            roll_distance=roll_distance,
        )
        return decide_exit(rows.policy, view)

    def _pnl_bps(self, trade: Trade, now_ms: int, rows: SignalRows, row: int) -> float:
        """Return the pair's net P&L, marked at the last closed candle, in bps of the entry notional."""
        spot_px = rows.spot_close[row]
        if np.isnan(spot_px):
            return float("nan")
        mirrored = self._mirror(trade)
        earned = self._market(trade.pair).funding_per_unit(mirrored.last_ms, now_ms)
        net = mirrored.marked_net(exact(rows.perp_close[row]), exact(spot_px), earned)
        return float(net / mirrored.entry_notional) / _BPS

    def adjust_trade_position(
        self, trade: Trade, current_time: datetime, *args: Any, max_stake: float, **kwargs: Any
    ) -> float | None:
        """Resize both legs as the strategy asks, but never while spot is not traded or beyond the cash."""
        now_ms = _ms(current_time)
        if not self._market(trade.pair).traded_at(now_ms):
            return None
        free = float(self.wallets.get_total_stake_amount()) - self._tied_up()
        allowed = min(max_stake, self.hedge.stake_for(max(free, 0.0), trade.leverage))
        change = self.resize(trade, current_time, allowed)
        return change if change is None or change < 0 else min(change, allowed)

    # --- booking ----------------------------------------------------------------------------------

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> None:
        """Set the order's cash slot so that the trade's orders sum to what the pair has earned so far.

        freqtrade passes a deep copy of the trade, but the order itself. Its own funding sum is replaced:
        it counts a settlement twice when a position changes exactly then.
        """
        try:
            booked = float(self._mirror(trade).booked)
            earlier = sum(
                other.funding_fee or 0.0 for other in _filled(trade) if other.order_id != order.order_id
            )
            order.funding_fee = booked - earlier
        except Exception as error:
            order.funding_fee = float("nan")
            self._failure = f"{pair}: the spot leg could not be booked at {current_time}: {error}"
            logger.exception("%s", self._failure)

    def _mirror(self, trade: Trade) -> MirroredTrade:
        """Fold the trade's filled orders into the pair's books."""
        terms = self.hedge.terms(trade.safe_base_currency)
        fills = [_perp_fill(trade, order) for order in _filled(trade)]
        return mirror(fills, self._market(trade.pair), terms, base=trade.safe_base_currency)

    # --- market data ------------------------------------------------------------------------------

    def _market(self, pair: str) -> RecordedMarket:
        if pair not in self._markets:
            raise OperationalException(f"{pair}: no market data was prepared, is it in the whitelist?")
        return self._markets[pair]

    def _load(self, pair: str, dataframe: pd.DataFrame) -> Market:
        """Load the raw candles up to the frame's end, gate them, and keep the market for the fills."""
        datadir = Path(self.config["datadir"])
        start, end = dataframe["date"].iloc[0], dataframe["date"].iloc[-1]
        require_coverage(datadir, pair, self.timeframe, start, end)
        market = load_market(datadir, pair, self.timeframe)
        fills = market
        detail = self.config.get("timeframe_detail")
        if detail:
            require_coverage(datadir, pair, detail, start, end)
            fills = load_market(datadir, pair, detail)
        step = timedelta(minutes=timeframe_to_minutes(self.timeframe))
        frames = [
            _until(frame, end + step) for frame in (fills.perp, fills.spot, market.mark, market.funding)
        ]
        self._markets[pair] = record_market(pair, *frames)
        spot, funding = _until(market.spot, end + step), _until(market.funding, end + step)
        return Market(pair, self.timeframe, market.perp, spot, market.mark, funding)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _until(frame: pd.DataFrame, end: datetime) -> pd.DataFrame:
    """Return the rows before `end`: what lies beyond the run's data must not be seen."""
    return frame.loc[frame["date"] < end].reset_index(drop=True)


def _filled(trade: Trade) -> list[Order]:
    return [order for order in trade.orders if not order.ft_is_open and order.filled]


def _perp_fill(trade: Trade, order: Order) -> PerpFill:
    enters = order.ft_order_side == trade.entry_side
    grows_short = enters == bool(trade.is_short)
    amount = exact(order.safe_amount_after_fee)
    return PerpFill(
        at_ms=_ms(order.order_filled_utc or order.order_date_utc),
        qty=-amount if grows_short else amount,
        px=exact(order.safe_price),
        fee_rate=exact((trade.fee_open if enters else trade.fee_close) or 0.0),
        at_open=order.ft_order_tag not in _OFF_OPEN_TAGS,
    )


def _liquidated_first(check: ExitCheckTuple, trade: Trade, high: float | None) -> ExitCheckTuple:
    """Return a liquidation where freqtrade saw a stop that lies beyond the liquidation price."""
    liquidation_px = trade.liquidation_price
    if check.exit_type is not ExitType.STOP_LOSS or not liquidation_px or high is None:
        return check
    if trade.is_short and liquidation_px <= min(high, trade.stop_loss):
        return ExitCheckTuple(ExitType.LIQUIDATION)
    return check


def _liquidation_distance(trade: Trade, rate: float) -> float:
    return trade.liquidation_price / rate - 1.0 if trade.liquidation_price else float("inf")

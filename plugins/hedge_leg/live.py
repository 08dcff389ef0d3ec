"""The binding of dry-run and live: freqtrade's callbacks become commands to the engine, its trades facts.

Knows freqtrade's objects only as protocols. `HedgedStrategy` owns one `LiveLeg` while it trades and asks it
at every callback; whatever goes wrong here refuses an entry, refuses an exit with its reason, or waits for
the next loop, and is never silent.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from hedge_leg.core import events as ev
from hedge_leg.core.accounts import books, entry_notional
from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import tolerance
from hedge_leg.core.ledger import Account
from hedge_leg.core.states import Mode, State
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError, VenueUnavailable
from hedge_leg.gate import BY_HAND, EntryPlan, Verdict, announce, request_exit
from hedge_leg.guard.guard import Guard
from hedge_leg.late_facts import FORGOTTEN_MS
from hedge_leg.leg import FeatureSource, History, HistorySource
from hedge_leg.live_booking import LiveTrade, book, decomposition, show_open
from hedge_leg.live_trades import TradeBook, host_trade, repair_order_ids
from hedge_leg.recorded import SignalRows, Stamps
from hedge_leg.sentinel import Sentinel
from hedge_leg.trade_view import epoch_ms_of
from hedge_leg.watch import Watch, host_fills

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class LiveLeg:
    """The spot leg of a trading freqtrade.

    `spot_px`: present price of a spot market, or None. `settled`: known settlements of a pair, ms, ascending.
    """

    engine: Engine
    watch: Watch
    trades: TradeBook
    symbol_of: Callable[[str], str]
    spot_px: Callable[[str], Decimal | None]
    feature_source: FeatureSource
    funding_source: Callable[[str], pd.DataFrame]
    history_source: HistorySource
    settled: Callable[[str], Stamps]
    quote: str
    fixed_cost: Decimal = ZERO
    observe_only: bool = False
    sentinel: Sentinel | None = None
    refresh_wallets: Callable[[], None] = lambda: None
    guard: Guard | None = None
    after_tick: Callable[[], None] = lambda: None  # never raises
    one_pot: bool = False  # a dry-run whose one wallet pays for both legs, as a backtest's does
    _booked: dict[str, int] = field(default_factory=dict)
    _shown: dict[int, dict[str, float | str]] = field(default_factory=dict)
    _beside: dict[str, float] = field(default_factory=dict)

    def features(self, pair: str, candles: pd.DataFrame) -> pd.DataFrame:
        """Return the features of what the exchange serves now; DataError where it does not cover them."""
        return self.feature_source(pair, candles)

    def funding(self, pair: str) -> pd.DataFrame:
        """Return the settlements that the exchange serves now."""
        return self.funding_source(pair)

    def history(self, pair: str, candles: pd.DataFrame, hours: int) -> History:
        """Return what the exchange tells of the last `hours`; DataError where it cannot be read."""
        return self.history_source(pair, candles, hours)

    def confirm_entry(self, pair: str, amount: float, rate: float, leverage: float, now_ms: int) -> bool:
        """Let freqtrade send a perp entry of `amount` base units, or refuse and log why."""
        verdict = self.entry_verdict(pair, amount, rate, leverage)
        if verdict.allowed or self.engine.repeats.is_news(f"entry {pair}", verdict.reason, now_ms):
            log = logger.info if verdict.allowed else logger.warning
            log("pair=%s entry %s: %s", pair, "allowed" if verdict.allowed else "refused", verdict.reason)
        return verdict.allowed

    def entry_verdict(self, pair: str, amount: float, rate: float, leverage: float) -> Verdict:
        """Ask the gate; an entry that it allows is journaled."""
        plan = EntryPlan(
            *(pair, self.symbol_of(pair), exact(amount), exact(rate), exact(leverage)),
            fixed_cost=self.fixed_cost,
        )
        refusal = self.guard.entry_refusal(plan) if self.guard is not None else ""
        if refusal:
            return Verdict(False, refusal)
        return announce(self.engine, plan, observe_only=self.observe_only)

    def confirm_exit(self, pair: str, reason: str, now_ms: int) -> bool:
        """Sell the spot leg first; the user is told when that refuses the exit, at every call by hand."""
        verdict, key = request_exit(self.engine, pair, reason), f"exit {pair} {reason}"
        if verdict.allowed:
            self.engine.repeats.forget(key)
        elif self.engine.repeats.is_news(key, verdict.reason, now_ms) or reason == BY_HAND:
            self.engine.notify(f"{pair}: exit ({reason}) refused: {verdict.reason}")
        return verdict.allowed

    def order_filled(self, trade: Any, order: Any) -> None:  # noqa: ARG002 - a deep copy
        """Follow a filled perp order with the spot leg, then book on the real trade."""
        self.follow(order.trade)
        self.trades.commit()

    def follow(self, trade: LiveTrade) -> None:
        """Bring spot to what the real trade's orders have filled, then book."""
        engine = self.engine
        with engine.lock:
            carry = self._carry_of(trade)
            if carry is None:
                engine.notify(f"{trade.pair}: a perp order filled that no carry announced: it is not hedged")
                return
            host = host_trade(trade)
            carry = host_fills(engine, carry, host)
            self.watch.note_host(carry.facts.pair, host)
            if carry.alive:
                carry = engine.pump(carry.carry_id, patience_ms=2 * engine.policy.open_timeout_ms)
            self._settle(carry)
            self._book(trade, engine.carries[carry.carry_id])
            self._show_one(trade, engine.carries[carry.carry_id])

    def _settle(self, carry: Carry) -> None:
        try:
            self.watch.settle(carry)
        except VenueUnavailable as error:
            logger.warning("carry=%s exact fees not known yet: %s", carry.carry_id, error)

    def tick(self) -> None:
        """Do one loop: reconcile, act, book what changed, show open trades at present prices."""
        engine = self.engine
        if self.sentinel is not None:
            self.sentinel.seen()
        with engine.lock:
            repair_order_ids(engine, self.trades)
            found = [(one.facts.pair, self._trade_of(one)) for one in engine.alive()]
            self.watch.tick({pair: host_trade(trade) for pair, trade in found if trade is not None})
            self._wake_host()
            self._rebook()
            self._show()
            self.trades.commit()
            if self.guard is not None:
                self.guard.tick()
        self.after_tick()

    def _wake_host(self) -> None:
        """Let freqtrade read its wallet again where its trade is larger than the position really is.

        It looks for the order that closed it (liquidation, deleveraging, a lost answer, a hand) only when its
        wallet shows less than the trade, and it reads the wallet rarely.
        """
        for trade in self.trades.open_trades():
            carry = self._carry_of(trade)
            if carry is not None and carry.trade_id == trade.id and carry.short_qty < exact(trade.amount):
                self.refresh_wallets()
                return

    def _carry_of(self, trade: LiveTrade) -> Carry | None:
        """Return the carry of a trade: by id, else the living one of its pair."""
        known = [one for one in self.engine.carries.values() if one.trade_id == trade.id and one.announced]
        known = [one for one in known if one.facts.pair == trade.pair]
        return known[-1] if known else self.engine.of_pair(trade.pair)

    def _trade_of(self, carry: Carry) -> LiveTrade | None:
        if carry.trade_id is not None:
            return self.trades.of_id(carry.trade_id)
        began = datetime.fromtimestamp(carry.began_ms / 1000, UTC)
        return self.trades.of_pair(carry.facts.pair, began - timedelta(seconds=1))

    def _rebook(self) -> None:
        """Book carries whose facts changed since they were booked last, closed ones for a while too."""
        now_ms = self.engine.clock.now_ms()
        for carry in self.engine.carries.values():
            late = carry.closed is not None and now_ms - carry.closed.at_ms > FORGOTTEN_MS
            if carry.trade_id is None or late or self._booked.get(carry.carry_id) == carry.version:
                continue
            trade = self.trades.of_id(carry.trade_id)
            if trade is not None and not trade.is_open:
                self._book(trade, carry)

    def _book(self, trade: LiveTrade, carry: Carry) -> None:
        book(trade, carry)
        self._booked[carry.carry_id] = carry.version
        self._decompose(trade, carry)

    def _show(self) -> None:
        self._beside.clear()
        for trade in self.trades.open_trades():
            carry = self._carry_of(trade)
            if carry is not None and carry.trade_id == trade.id:
                self._show_one(trade, carry)
                self._decompose(trade, carry)

    def _show_one(self, trade: LiveTrade, carry: Carry) -> None:
        """Let an open trade show the pair's present P&L, and remember what freqtrade must not replace."""
        self._beside.pop(trade.pair, None)
        spot_px = self.spot_px(carry.facts.symbol) if trade.is_open else None
        if spot_px is not None:
            show_open(trade, carry, spot_px)
            slots = sum(order.funding_fee or 0.0 for order in trade.orders)
            self._beside[trade.pair] = (trade.funding_fees or 0.0) - slots

    def beside_orders(self, pair: str) -> float | None:
        """Return what an open trade shows beside its orders' slots, quote; None where no loop has shown it.

        freqtrade asks its exchange for running funding twice an hour and at every order, and would show the
        perp alone until the next loop.
        """
        return self._beside.get(pair)

    def _decompose(self, trade: LiveTrade, carry: Carry) -> None:
        try:
            rules = self.engine.spot.rules(carry.facts.symbol)
        except HedgeError:
            return
        loose = tolerance(carry, rules, self.engine.policy, Mode.ACTIVE)
        shown = decomposition(carry, self.engine.clock.now_ms(), loose)
        before = self._shown.get(trade.id, {})
        for key, value in shown.items():
            if before.get(key) != value:
                trade.set_custom_data(key, value)
        self._shown[trade.id] = shown

    def urgent_exit(self, trade: Any, rows: SignalRows | None, rate: float, now: datetime) -> str | None:
        """Return why freqtrade must leave a pair: a rollback, an exit half done, or the guard."""
        carry = self.engine.of_pair(trade.pair)
        if carry is not None and carry.state is State.CLOSING and carry.short_qty > 0:
            return "orphan_leg" if carry.mode is Mode.ROLLING_BACK else carry.why
        if self.guard is None:
            return None
        return self.guard.exit_reason(trade, rows, rate, epoch_ms_of(now), partial(self.pnl_bps, trade))

    def size_limit(self, pair: str, held: float) -> float:
        """Return the most base units that the guard allows now; inf where it does not care."""
        return float("inf") if self.guard is None else self.guard.size_limit(pair, held)

    def settled_between(self, pair: str, after_ms: int, until_ms: int) -> bool:
        """Return whether a settlement lies in (after, until]."""
        first, last = np.searchsorted(self.settled(pair), (after_ms, until_ms), side="right")
        return bool(last > first)

    def pnl_bps(self, trade: Any, rows: SignalRows, now_ms: int) -> float:
        """Return the pair's net P&L at the last closed candle, in bps of the entry notional, or NaN."""
        carry, row = self.engine.of_pair(trade.pair), rows.last_closed(now_ms)
        perp_px, spot_px = float(rows.perp_close[row]), float(rows.spot_close[row])
        if carry is None or isnan(perp_px) or isnan(spot_px):
            return float("nan")
        kept = books(carry)
        net = kept.ledger.net + kept.unrealized(exact(perp_px), exact(spot_px))
        return float(net / entry_notional(carry) * 10_000)

    def liquidation_high(self, pair: str, now_ms: int, perp_high: float) -> float:  # noqa: ARG002
        """Return the high itself: the exchange liquidates, not we."""
        return perp_high

    def may_resize(self, pair: str, now_ms: int) -> bool:  # noqa: ARG002
        """Return whether both legs may be changed now: hedged, nothing pending, journal working."""
        carry = self.engine.of_pair(pair)
        if carry is None or self.engine.broken or carry.state is not State.ACTIVE:
            return False
        return carry.order is None and carry.perp_close is None

    def resize_asked(self, pair: str, qty: float) -> bool:
        """Journal that freqtrade is asked to change the perp by signed base units (more short: negative).

        False where the exchange's position is not what the carry knows: an earlier answer may have been lost.
        """
        carry = self.engine.of_pair(pair)
        if carry is None or self.engine.perp.short_qty(pair) != carry.short_qty:
            return False
        self.engine.record(carry, ev.ResizeAsked(self.engine.clock.now_ms(), exact(round(qty, 8))))
        return True

    def spot_capital(self) -> tuple[float, float] | None:
        """Return (free quote on the spot account, cost of the inventory of living carries); None: one pot.

        Raises VenueUnavailable: capital that cannot be read is not zero, and is not spent.
        """
        if self.one_pot:
            return None
        free = self.engine.spot.balances().get(self.quote, (ZERO, ZERO))[0]
        cost = sum((books(one).ledger.balance(Account.SPOT_COST) for one in self.engine.alive()), ZERO)
        return float(free), float(cost)

    def close(self) -> None:
        """Stop guarding, release the journal."""
        if self.sentinel is not None:
            self.sentinel.stop()
        self.engine.journal.close()

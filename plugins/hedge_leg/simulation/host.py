"""A small, faithful freqtrade: its loop, its order of calls, its way of being wrong about lost answers.

Modelled on freqtrade 2026.9 `freqtradebot.py`: `process`, `execute_entry`, `execute_trade_exit`,
`update_trade_state`, `handle_onexchange_order`. What matters here: confirm callbacks come before the order;
`order_filled` comes before the commit of an exit; a TemporaryError anywhere ends the loop and leaves no
trade; an order whose answer was lost is found again only when the wallet shows less than the trade;
partial exits and additions ask for no confirmation; the exceptions of `order_filled` are swallowed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.carry import Carry
from hedge_leg.core.states import Mode, State
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError
from hedge_leg.gate import EntryPlan, Verdict, announce, request_exit
from hedge_leg.simulation.clock import SimClock
from hedge_leg.simulation.perp import PerpDeal
from hedge_leg.simulation.perp_venue import HostRefused, HostTemporaryError, SimPerp
from hedge_leg.simulation.trades import SimOrder, SimTrade, TradeBase
from hedge_leg.watch import HostTrade, Watch, host_fills

_RETRY_TIMEOUT_MS = 30_000  # freqtrade waits that long after a TemporaryError
_UNFILLED_TIMEOUT_MS = 120_000
_FOUND_AGAIN_MS = 10_000
LEVERAGE = Decimal(2)


def _ignore(_pair: str, _verdict: Verdict) -> None:
    """See nothing."""


@dataclass(slots=True)
class SimHost:
    """The bot. `engine` and `watch` are of the living process; `base` survives it."""

    clock: SimClock
    perp: SimPerp
    engine: Engine
    watch: Watch
    base: TradeBase = field(default_factory=TradeBase)
    exits: dict[str, str] = field(default_factory=dict)  # pair -> exit signal that stands
    answered: Callable[[str, Verdict], None] = _ignore

    def restart(self, engine: Engine, watch: Watch) -> None:
        """Begin a new process: only what was committed is left."""
        self.engine, self.watch = engine, watch
        self.base.rollback()

    # -- the loop ---------------------------------------------------------------------------------------
    def loop(self) -> None:
        """Do one `process()`: loop start, open orders, exits."""
        try:
            self._loop_start()
            self._manage_open_orders()
            self._exit_positions()
            self.base.commit()
        except HostTemporaryError:
            self.clock.advance(_RETRY_TIMEOUT_MS)

    def _loop_start(self) -> None:
        try:
            self.watch.tick(self.hosts())
        except HedgeError:
            return  # freqtrade logs and goes on

    def hosts(self) -> dict[str, HostTrade]:
        """Return freqtrade's trade of each living carry's pair."""
        seen: dict[str, HostTrade] = {}
        for carry in self.engine.alive():
            if carry.trade_id is not None:
                trade = self.base.trades.get(carry.trade_id)
            else:
                trade = self.base.newest_since(carry.facts.pair, carry.began_ms - 1_000)
            if trade is not None:
                seen[carry.facts.pair] = trade.seen()
        return seen

    def _manage_open_orders(self) -> None:
        for trade in list(self.base.trades.values()):
            for order in list(trade.orders) if trade.open else ():
                if not order.open:
                    continue
                self.perp.host_read()
                deal = self.perp.truth.find(trade.pair, order.order_id)
                assert deal is not None, "the exchange forgets no order"
                if deal.open and self.clock.now_ms() - order.created_ms > _UNFILLED_TIMEOUT_MS:
                    self.perp.truth.end(deal)
                self._update_trade_state(trade, order, deal)

    def _exit_positions(self) -> None:
        for trade in list(self.base.trades.values()):
            if not trade.open:
                continue
            if not trade.has_open_orders and self._position(trade.pair) < trade.amount:
                self._find_lost_orders(trade)
            if not trade.open or trade.has_open_orders or trade.amount <= ZERO:
                continue
            reason = self._exit_to_finish(trade) or self.exits.get(trade.pair, "")
            if reason:
                self.exit(trade, reason)

    def _position(self, pair: str) -> Decimal:
        self.perp.host_read()
        return self.perp.truth.short_qty(pair)

    def _find_lost_orders(self, trade: SimTrade) -> None:
        """Do `handle_onexchange_order`: adopt what the exchange has and the database has not."""
        self.perp.host_read()
        for deal in list(self.perp.truth.deals.get(trade.pair, ())):
            if deal.created_ms < trade.opened_ms - _FOUND_AGAIN_MS:
                continue
            order = next((one for one in trade.orders if one.order_id == deal.order_id), None)
            if order is None:
                if self.base.knows(deal.order_id):
                    continue
                order = SimOrder(deal.order_id, deal.qty < ZERO, self.clock.now_ms())
                trade.orders.append(order)
                self.base.commit()
            self._update_trade_state(trade, order, deal)

    def _update_trade_state(self, trade: SimTrade, order: SimOrder, deal: PerpDeal) -> None:
        """Take an order's state over, close the trade, call `order_filled`, commit: in that order."""
        order.update(deal)
        if not order.open and not order.qty:
            if len(trade.orders) == 1:
                self.base.trades.pop(trade.trade_id, None)  # fully cancelled entry: no trade
            self.base.commit()
            return
        trade.refresh()
        if not order.open:
            self._order_filled(trade)
        self.base.commit()

    # -- the strategy's callbacks, as the binding (`live.LiveLeg`) has them ---------------------------------
    def _order_filled(self, trade: SimTrade) -> None:
        carry = self._carry_of(trade)
        if carry is None:
            return
        try:
            seen, pair = trade.seen(), trade.pair
            carry = host_fills(self.engine, carry, seen)
            self.watch.note_host(pair, seen)
            if carry.alive:
                patience_ms = 2 * self.engine.policy.open_timeout_ms
                carry = self.engine.pump(carry.carry_id, patience_ms=patience_ms)
            self.watch.settle(carry)
        except HedgeError:
            return  # swallowed by freqtrade: the next loop does it

    def _carry_of(self, trade: SimTrade) -> Carry | None:
        known = [one for one in self.engine.carries.values() if one.trade_id == trade.trade_id]
        return known[-1] if known else self.engine.of_pair(trade.pair)

    def _exit_to_finish(self, trade: SimTrade) -> str:
        """Return why freqtrade must go on leaving the perp: a rollback, or an exit half done."""
        carry = self.engine.of_pair(trade.pair)
        if carry is None or carry.state is not State.CLOSING or carry.short_qty <= ZERO:
            return ""
        return "orphan_leg" if carry.mode is Mode.ROLLING_BACK else carry.why

    # -- orders -------------------------------------------------------------------------------------------
    def enter(self, pair: str, symbol: str, qty: Decimal) -> None:
        """Do `execute_entry` of a new trade, unless the pair has one."""
        if self.base.opened(pair) is not None:
            return
        px = self.perp.truth.markets[pair].perp_px()
        verdict = announce(self.engine, EntryPlan(pair, symbol, qty, px, LEVERAGE))
        self.answered(pair, verdict)
        if not verdict.allowed:
            return
        deal = self._create(pair, -qty, reduce_only=False)
        if deal is None or (not deal.open and not deal.filled):
            return  # refused, or expired empty: no trade
        self.base.number += 1
        trade = SimTrade(self.base.number, pair, self.clock.now_ms())
        self.base.trades[trade.trade_id] = trade
        self._ordered(trade, deal, entry=True)

    def exit(self, trade: SimTrade, reason: str) -> None:
        """Do `execute_trade_exit` of the whole trade, confirmation first."""
        verdict = request_exit(self.engine, trade.pair, reason)
        if not verdict.allowed:
            return
        deal = self._create(trade.pair, trade.amount, reduce_only=True)
        if deal is not None:
            self._ordered(trade, deal, entry=False)

    def resize(self, trade: SimTrade, share: Decimal) -> None:
        """Do what `adjust_trade_position` asks: shrink (negative share) or grow, no confirmation."""
        carry = self._carry_of(trade)
        if carry is None or carry.state is not State.ACTIVE or trade.has_open_orders:
            return
        lot = self.perp.truth.markets[trade.pair].perp_lot
        qty = lots_down(trade.amount * abs(share), lot)
        if not qty:
            return
        signed = qty if share < ZERO else -qty
        try:
            self.engine.record(carry, ev.ResizeAsked(self.clock.now_ms(), signed))
        except HedgeError:
            return
        deal = self._create(trade.pair, signed, reduce_only=share < ZERO)
        if deal is not None:
            self._ordered(trade, deal, entry=share > ZERO)

    def _create(self, pair: str, qty: Decimal, *, reduce_only: bool) -> PerpDeal | None:
        try:
            return self.perp.host_create(pair, qty, reduce_only=reduce_only)
        except HostRefused:
            return None

    def _ordered(self, trade: SimTrade, deal: PerpDeal, *, entry: bool) -> None:
        order = SimOrder(deal.order_id, entry, self.clock.now_ms())
        trade.orders.append(order)
        if entry:
            self.base.commit()  # an exit is committed only after `order_filled`
        if deal.open:
            order.qty = ZERO
            self.base.commit()
        else:
            self._update_trade_state(trade, order, deal)

    def guarded(self, action: Callable[[], None]) -> None:
        """Run a call of freqtrade's; a TemporaryError ends it and costs the retry time."""
        try:
            action()
        except HostTemporaryError:
            self.clock.advance(_RETRY_TIMEOUT_MS)

    def delete(self, pair: str) -> None:
        """Do `/delete`: forget the newest trade of the pair; the position stays."""
        trade = self.base.opened(pair)
        if trade is not None:
            del self.base.trades[trade.trade_id]
            self.base.commit()

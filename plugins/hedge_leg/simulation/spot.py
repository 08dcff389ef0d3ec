"""The spot exchange as it truly is: balances, orders, fills, filters, fees. Nothing here lies or fails.

Like Binance it knows a client order id only to look an order up: a second order with the id of one that has
ended is taken and fills a second time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.orders import OrderIntent, OrderReport, Side, SpotFill
from hedge_leg.errors import VenueRefused
from hedge_leg.simulation.clock import SimClock
from hedge_leg.simulation.market import SimMarket

FEE_COIN = "BNB"
FEE_COIN_PX = Decimal(500)


@dataclass(slots=True)
class SpotOrder:
    """An order that the exchange took."""

    client_id: str
    venue_id: str
    intent: OrderIntent
    created_ms: int
    fills: list[SpotFill] = field(default_factory=list)
    final: bool = False

    @property
    def filled_qty(self) -> Decimal:
        """Return the executed base units."""
        return sum((fill.qty for fill in self.fills), ZERO)

    def report(self) -> OrderReport:
        """Return what the exchange says of it now."""
        fills = tuple(self.fills)
        return OrderReport(self.client_id, self.venue_id, self.filled_qty, self.final, fills)


def _ignore(_symbol: str, _change: Decimal, _at_ms: int) -> None:
    """See nothing."""


@dataclass(slots=True)
class SpotExchange:
    """The truth. `fee_mode`: "base", "quote" or "coin". `moved` hears of each change of base by our orders.

    `skew_ms`: how far its clock is ahead; its own stamps (fills, orders) carry it.
    """

    clock: SimClock
    markets: dict[str, SimMarket]
    balances: dict[str, Decimal]
    fee_rate: Decimal = Decimal("0.001")
    fee_mode: str = "base"
    skew_ms: int = 0
    halted: set[str] = field(default_factory=set)
    orders: list[SpotOrder] = field(default_factory=list)
    moved: Callable[[str, Decimal, int], None] = _ignore
    by_hand: dict[str, Decimal] = field(default_factory=dict)  # what human hands changed, per asset
    trades: int = 0

    def accept(self, intent: OrderIntent, share: Decimal = Decimal(1), *, rest_ms: int = 0) -> SpotOrder:
        """Take an order and match it; VenueRefused when a filter or the balance forbids it.

        `share`: how much of the book is there to be taken. `rest_ms`: time after which what did not
        fill at once fills too (the order is not final until then); 0: it expires at once.
        """
        self._check(intent)
        number = len(self.orders) + 1
        order = SpotOrder(intent.client_id, f"S{number}", intent, self._stamp())
        self.orders.append(order)
        self._match(order, lots_down(intent.qty * share, self.markets[intent.symbol].rules.lot))
        if rest_ms and order.filled_qty < intent.qty:
            self.clock.at(self.clock.now_ms() + rest_ms, lambda: self.finish(order))
        else:
            order.final = True
        return order

    def _stamp(self) -> int:
        return self.clock.now_ms() + self.skew_ms

    def _check(self, intent: OrderIntent) -> None:
        rules = self.markets[intent.symbol].rules
        if intent.symbol in self.halted:
            raise VenueRefused("Market is closed.", "-1013")
        lots = intent.qty / rules.lot
        if lots != lots.to_integral_value() or not rules.min_qty <= intent.qty <= rules.max_qty:
            raise VenueRefused("Filter failure: LOT_SIZE", "-1013")
        if intent.qty * intent.limit_px < rules.min_notional:
            raise VenueRefused("Filter failure: NOTIONAL", "-1013")
        if any(one.client_id == intent.client_id and not one.final for one in self.orders):
            raise VenueRefused("Duplicate order sent.", "-2010")
        asset, need = rules.base, intent.qty
        if intent.side is Side.BUY:
            asset, need = rules.quote, intent.qty * intent.limit_px
        if self.balances.get(asset, ZERO) < need:
            raise VenueRefused("Account has insufficient balance for requested action.", "-2010")

    def _match(self, order: SpotOrder, most: Decimal) -> None:
        """Execute up to `most` base units against the book within the limit."""
        intent, market = order.intent, self.markets[order.intent.symbol]
        book, left = market.book(), most
        buys = intent.side is Side.BUY
        for px, size in book.asks if buys else book.bids:
            if left <= ZERO or (px > intent.limit_px if buys else px < intent.limit_px):
                return
            taken = min(left, size)
            self._execute(order, taken, px)
            left -= taken

    def _execute(self, order: SpotOrder, qty: Decimal, px: Decimal) -> None:
        intent, rules = order.intent, self.markets[order.intent.symbol].rules
        buys = intent.side is Side.BUY
        arriving, amount = (rules.base, qty) if buys else (rules.quote, qty * px)
        asset, fee, value = arriving, amount * self.fee_rate, qty * px * self.fee_rate
        coin_fee = value / FEE_COIN_PX
        if self.fee_mode == "coin" and self.balances.get(FEE_COIN, ZERO) >= coin_fee:
            asset, fee = FEE_COIN, coin_fee
        elif self.fee_mode == "quote":
            asset, fee = rules.quote, value
        signed = qty if buys else -qty
        self.trades += 1
        fill = SpotFill(f"T{self.trades}", intent.side, qty, px, fee, asset, value, self._stamp())
        order.fills.append(fill)
        self._change(rules.base, signed)
        self._change(rules.quote, -signed * px)
        self._change(asset, -fee)
        self.moved(intent.symbol, fill.base_change(rules.base), self.clock.now_ms())

    def _change(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def finish(self, order: SpotOrder) -> None:
        """Fill what rests of an open order, as far as the book allows, and end it."""
        if not order.final:
            self._match(order, order.intent.qty - order.filled_qty)
            order.final = True

    def cancel(self, client_id: str) -> bool:
        """End an open order; return whether there was one."""
        for order in self.orders:
            if order.client_id == client_id and not order.final:
                order.final = True
                return True
        return False

    def find(self, client_id: str) -> SpotOrder | None:
        """Return the newest order with that client id."""
        return next((one for one in reversed(self.orders) if one.client_id == client_id), None)

    def hand(self, asset: str, amount: Decimal) -> None:
        """Let a human hand move coins in (positive) or out of the account."""
        self._change(asset, amount)
        self.by_hand[asset] = self.by_hand.get(asset, ZERO) + amount

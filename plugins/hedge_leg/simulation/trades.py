"""freqtrade's trades as its database keeps them: what is committed survives a crash, the rest does not."""

from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.simulation.perp import PerpDeal
from hedge_leg.watch import HostOrder, HostTrade


@dataclass(slots=True)
class SimOrder:
    """An order of a trade: signed filled `qty`, average price, fee, as last fetched."""

    order_id: str
    entry: bool
    created_ms: int
    qty: Decimal = ZERO
    px: Decimal = ZERO
    fee: Decimal = ZERO
    filled_ms: int = 0
    open: bool = True

    def update(self, deal: PerpDeal) -> None:
        """Take the exchange's answer over."""
        self.qty, self.open = deal.filled, deal.open
        self.px = deal.value / abs(deal.filled) if deal.filled else ZERO
        self.fee, self.filled_ms = deal.fee, deal.filled_ms


@dataclass(slots=True)
class SimTrade:
    """A short trade. `amount` base units by its own orders, as `recalc_trade_from_orders` has it."""

    trade_id: int
    pair: str
    opened_ms: int
    orders: list[SimOrder] = field(default_factory=list)
    open: bool = True

    @property
    def amount(self) -> Decimal:
        """Return what is still short by this trade's orders."""
        return -sum((order.qty for order in self.orders), ZERO)

    @property
    def has_open_orders(self) -> bool:
        """Return whether an order of it is not final."""
        return any(order.open for order in self.orders)

    def refresh(self) -> None:
        """Close the trade once its orders have brought it to zero."""
        if self.open and not self.has_open_orders and any(order.qty for order in self.orders):
            self.open = self.amount > ZERO

    def seen(self) -> HostTrade:
        """Return what the binding shows of it to `watch`."""
        working = any(order.open and order.entry for order in self.orders)
        orders = tuple(
            HostOrder(order.order_id, order.qty, order.px, order.fee, order.filled_ms)
            for order in self.orders
            if order.qty
        )
        return HostTrade(self.trade_id, self.open, working, orders)

    def copied(self) -> "SimTrade":
        """Return an independent copy."""
        orders = [
            SimOrder(
                one.order_id, one.entry, one.created_ms, one.qty, one.px, one.fee, one.filled_ms, one.open
            )
            for one in self.orders
        ]
        return SimTrade(self.trade_id, self.pair, self.opened_ms, orders, self.open)


@dataclass(slots=True)
class TradeBase:
    """All trades; `commit` makes the present durable, `rollback` forgets what was not committed."""

    trades: dict[int, SimTrade] = field(default_factory=dict)
    number: int = 0
    _durable: dict[int, SimTrade] = field(default_factory=dict)

    def commit(self) -> None:
        """Make every trade durable as it is. A closed one does not change any more."""
        kept, self._durable = self._durable, {}
        for key, one in self.trades.items():
            known = kept.get(key)
            ended = known is not None and not known.open and len(known.orders) == len(one.orders)
            self._durable[key] = known if known is not None and ended else one.copied()

    def rollback(self) -> None:
        """Return to what was committed last."""
        self.trades = {key: one.copied() for key, one in self._durable.items()}

    def opened(self, pair: str) -> SimTrade | None:
        """Return the pair's open trade."""
        return next((one for one in self.trades.values() if one.open and one.pair == pair), None)

    def newest_since(self, pair: str, since_ms: int) -> SimTrade | None:
        """Return the pair's newest trade opened at or after `since_ms`."""
        found = [one for one in self.trades.values() if one.pair == pair and one.opened_ms >= since_ms]
        return max(found, key=lambda one: one.trade_id, default=None)

    def knows(self, order_id: str) -> bool:
        """Return whether any trade has the order."""
        return any(order.order_id == order_id for one in self.trades.values() for order in one.orders)

"""A small hand-written perp account of one pair: what it answers is scripted, what is true is readable."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import FundingPayment, PerpOrder
from tests.hedge_leg.fakes import LATE_MS, UNANSWERED, ZERO, Answer, FakeClock


@dataclass
class FakePerp:
    """The perp account of one pair. `short` is the true position; `stale` what old answers show of it."""

    clock: FakeClock
    px: Decimal = Decimal("100.5")
    fee_rate: Decimal = Decimal("0.0005")
    short: Decimal = ZERO
    script: deque[Answer] = field(default_factory=deque)
    orders: list[PerpOrder] = field(default_factory=list)
    funding: list[FundingPayment] = field(default_factory=list)
    sent: list[tuple[str, Decimal]] = field(default_factory=list)  # our reduce-only closes
    stale: Decimal | None = None
    mute: bool = False
    down_until_ms: int = 0
    _hidden: dict[str, int] = field(default_factory=dict)

    def _read(self) -> None:
        if self.mute or self.clock.now_ms() < self.down_until_ms:
            raise VenueUnavailable("no answer")

    def trade(self, qty: Decimal, client_id: str = "", *, liquidation: bool = False) -> PerpOrder:
        """Fill a market order of signed `qty`, whoever sent it."""
        self.short -= qty
        now_ms, value = self.clock.now_ms(), abs(qty) * self.px
        fee, order_id = value * self.fee_rate, f"p{len(self.orders) + 1}"
        done = (order_id, client_id, qty, value, fee, now_ms, now_ms)
        self.orders.append(PerpOrder(*done, open=False, reduce_only=qty > 0, liquidation=liquidation))
        return self.orders[-1]

    def begin(self, qty: Decimal) -> PerpOrder:
        """Fill the first part of an order that stays open."""
        self.orders[-1] = replace(self.trade(qty), open=True)
        return self.orders[-1]

    def grow(self, order: PerpOrder, qty: Decimal) -> PerpOrder:
        """Fill an order of freqtrade's further by signed `qty`."""
        self.short -= qty
        value = abs(qty) * self.px
        grown = replace(
            order, qty=order.qty + qty, value=order.value + value, fee=order.fee + value * self.fee_rate
        )
        self.orders[self.orders.index(order)] = grown
        return grown

    def short_qty(self, pair: str) -> Decimal:
        """Return the position."""
        self._read()
        return self.short if self.stale is None else self.stale

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the orders."""
        self._read()
        return [order for order in self.orders if order.created_ms >= since_ms]

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return the settlements."""
        self._read()
        return [paid for paid in self.funding if paid.paid_ms >= since_ms]

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Buy reduce-only: never beyond flat."""
        if self.clock.now_ms() < self.down_until_ms:
            raise OutcomeUnknown("connection refused")
        answer = self.script.popleft() if self.script else Answer.FILL
        self.sent.append((client_id, qty))
        if answer is Answer.REFUSE or self.short <= 0:
            raise VenueRefused("ReduceOnly Order is rejected.", "-2022")
        if answer is not Answer.NEVER:
            order = self.trade(min(qty, self.short), client_id)
        if answer is Answer.HIDDEN:
            self._hidden[client_id] = self.clock.now_ms() + LATE_MS
        if answer in UNANSWERED:
            raise OutcomeUnknown("no answer in 10 s")
        return order

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Look one of our orders up, unless it is still hidden."""
        self._read()
        if self.clock.now_ms() < self._hidden.get(client_id, 0):
            return None
        return next((order for order in self.orders if order.client_id == client_id), None)

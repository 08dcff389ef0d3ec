"""The spot exchange as a client meets it: a `ports.SpotVenue` that loses answers, delays and lies.

How long it lies is bounded by `LIES_MS`, below the engine's grace time: no protocol can tell an order that
hides from every view for longer from one that does not exist.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.orders import OrderIntent, OrderReport
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import SpotTrade
from hedge_leg.simulation.choices import Choices, Options
from hedge_leg.simulation.spot import SpotExchange, SpotOrder

LIES_MS = 4_000
_LATENCY_MS = 60
_TIME_OUT_MS = 3_000
PLACE_FAULTS: Options = (
    ("answer lost", 4),
    ("request lost", 3),
    ("5xx after", 2),
    ("5xx before", 2),
    ("delayed acceptance", 3),
    ("not found then found", 3),
    ("hidden and partly filled", 2),
    ("refused: insufficient", 2),
    ("refused: filter", 2),
    ("rate limit", 2),
    ("partial fill", 5),
    ("no fill", 3),
    ("not final", 4),
    ("stuck", 2),
)
READ_FAULTS: Options = (("read failed", 3), ("rate limit on a read", 1))
BALANCE_FAULTS: Options = (("read failed", 2), ("stale balance", 3))
FIND_FAULTS: Options = (("read failed", 3), ("not found yet", 1), ("stale order", 2))
CANCEL_FAULTS: Options = (("cancel unanswered", 2), ("cancel unanswered, not done", 2), ("filled first", 3))


def _ignore(_intent: OrderIntent) -> None:
    """See nothing."""


@dataclass(slots=True)
class SimSpotVenue:
    """The port. `sending` hears of each order at the moment it leaves, before anything else happens."""

    truth: SpotExchange
    choices: Choices
    sending: Callable[[OrderIntent], None] = _ignore
    wrong_fee_expected: bool = False
    down_until_ms: int = 0  # nothing is answered, nothing arrives
    _hidden_until: dict[str, int] = field(default_factory=dict)  # client id -> when the exchange shows it
    _blind_until_ms: int = 0  # trades, open orders and balances are as of `_seen` until then
    _old_balances: dict[str, Decimal] = field(default_factory=dict)
    _old_trades: int = 0
    _pending: set[str] = field(default_factory=set)  # on their way, not yet taken

    def rules(self, symbol: str) -> MarketRules:
        """Return the filters, with the status of this moment."""
        rules = self.truth.markets[symbol].rules
        in_base = (self.truth.fee_mode == "base") is not self.wrong_fee_expected
        active = symbol not in self.truth.halted
        if rules.active is active and rules.fee_in_base is in_base:
            return rules
        changed = replace(rules, active=active, fee_in_base=in_base)
        self.truth.markets[symbol].rules = changed
        return changed

    def book(self, symbol: str) -> Book:
        """Return the book as it is."""
        self._call("spot.book", READ_FAULTS)
        return self.truth.markets[symbol].book()

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return free and total; now and then those of a moment ago."""
        fault = self._call("spot.balances", BALANCE_FAULTS)
        if fault == "stale balance" and not self._blind():
            self._blind_until_ms = self._now() + LIES_MS // 2
            self._remember()
        held = self._old_balances if self._blind() else self.truth.balances
        return {asset: (amount, amount) for asset, amount in held.items()}

    def place(self, intent: OrderIntent) -> OrderReport:
        """Send an order; the answer may be lost, late, wrong or missing."""
        self.sending(intent)
        self.choices.crash("spot.place.before")
        fault = self.choices.fault("spot.place", PLACE_FAULTS)
        if self.down_until_ms > self._now():
            raise self._unknown("time-out")
        self.truth.clock.advance(_LATENCY_MS)
        self._refuse_or_lose(fault)
        if fault == "delayed acceptance":
            self._late(intent)
            raise self._unknown("time-out")
        if fault in ("not found then found", "hidden and partly filled"):
            self._hidden_until[intent.client_id] = self._blind_until_ms = self._now() + LIES_MS
            self._remember()
        order = self._accept(intent, fault)
        self.choices.crash("spot.place.after")
        if fault in ("answer lost", "not found then found", "hidden and partly filled"):
            raise self._unknown("time-out")
        if fault == "5xx after":
            raise OutcomeUnknown("HTTP 502")
        return order.report()

    def _refuse_or_lose(self, fault: str) -> None:
        """Raise what a fault answers before the exchange has taken anything."""
        match fault:
            case "request lost":
                raise self._unknown("time-out")
            case "5xx before":
                raise OutcomeUnknown("HTTP 503")
            case "refused: insufficient":
                raise VenueRefused("Account has insufficient balance for requested action.", "-2010")
            case "refused: filter":
                raise VenueRefused("Filter failure: PERCENT_PRICE_BY_SIDE", "-1013")
            case "rate limit":
                raise VenueRefused("Too many requests.", "-1003")
            case _:
                return

    def _unknown(self, text: str) -> OutcomeUnknown:
        self.truth.clock.advance(_TIME_OUT_MS)
        return OutcomeUnknown(text)

    def _accept(self, intent: OrderIntent, fault: str) -> SpotOrder:
        chance = self.choices.stream("spot.share")
        share, rest_ms = Decimal(1), 0
        if fault in ("partial fill", "not final", "stuck", "hidden and partly filled"):
            share = Decimal(chance.randrange(5, 95)) / 100
        if fault == "no fill":
            share = ZERO
        if fault == "not final":
            rest_ms = chance.randrange(200, 4_000)
        if fault == "stuck":
            rest_ms = 3_600_000
        return self.truth.accept(intent, share, rest_ms=rest_ms)

    def _late(self, intent: OrderIntent) -> None:
        """Have the exchange take the order after the client has given up waiting."""
        late_ms = self.choices.stream("spot.late").randrange(200, _TIME_OUT_MS + LIES_MS)

        def take() -> None:
            self._pending.discard(intent.client_id)
            try:
                self.truth.accept(intent)
            except VenueRefused:
                return

        self._pending.add(intent.client_id)
        self.truth.clock.at(self._now() + late_ms, take)

    def on_its_way(self, client_id: str) -> bool:
        """Return whether an order may still be taken."""
        return client_id in self._pending

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up; hidden orders are denied, others may be shown as they were."""
        fault = self._call("spot.find", FIND_FAULTS)
        order = self.truth.find(intent.client_id)
        hidden = self._hidden_until.get(intent.client_id, 0) > self._now()
        fresh = order is not None and self._now() - order.created_ms < LIES_MS
        if order is None or hidden or (fault == "not found yet" and fresh):
            return None
        report = order.report()
        if fault == "stale order" and fresh and len(order.fills) > 1:
            fills = report.fills[:1]
            return replace(report, fills=fills, filled_qty=fills[0].qty, final=False)
        return report

    def cancel(self, intent: OrderIntent) -> None:
        """Cancel, unless a fill was faster or the request was lost."""
        self.choices.crash("spot.cancel.before")
        fault = self.choices.fault("spot.cancel", CANCEL_FAULTS)
        self.truth.clock.advance(_LATENCY_MS)
        if self.down_until_ms > self._now():
            raise VenueUnavailable("time-out")
        order = self.truth.find(intent.client_id)
        if fault == "filled first" and order is not None:
            self.truth.finish(order)
        if fault != "cancel unanswered, not done":
            self.truth.cancel(intent.client_id)
        self.choices.crash("spot.cancel.after")
        if fault.startswith("cancel unanswered"):
            raise VenueUnavailable("time-out")

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return the client ids of the market's open orders."""
        self._call("spot.open", READ_FAULTS)
        now_ms = self._now()
        return frozenset(
            one.client_id
            for one in self.truth.orders
            if one.intent.symbol == symbol
            and not one.final
            and self._hidden_until.get(one.client_id, 0) <= now_ms
        )

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:
        """Return the orders of the client ids as they truly are."""
        self._call("spot.orders", READ_FAULTS)
        return [
            one.report()
            for one in self.truth.orders
            if one.intent.symbol == symbol and one.client_id in client_ids and one.created_ms >= since_ms
        ]

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the account's trades, except those of the last moments while the exchange lags."""
        self._call("spot.trades", READ_FAULTS)
        orders = [one for one in self.truth.orders if one.intent.symbol == symbol]
        seen = [
            SpotTrade(fill.trade_id, one.venue_id, fill.qty, fill.px, fill.filled_ms)
            for one in orders
            for fill in one.fills
            if fill.filled_ms >= since_ms
        ]
        if self._blind():
            seen = [one for one in seen if int(one.trade_id[1:]) <= self._old_trades]
        return sorted(seen, key=lambda one: one.filled_ms)

    def _call(self, channel: str, options: Options) -> str:
        """Let a read take its time, fail, or die; return another fault of it."""
        self.choices.crash("spot.read")
        fault = self.choices.fault(channel, options)
        self.truth.clock.advance(_LATENCY_MS)
        if fault in ("read failed", "rate limit on a read") or self.down_until_ms > self._now():
            raise VenueUnavailable(fault)
        return fault

    def _now(self) -> int:
        return self.truth.clock.now_ms()

    def _blind(self) -> bool:
        return self._blind_until_ms > self._now()

    def _remember(self) -> None:
        self._old_balances = dict(self.truth.balances)
        self._old_trades = self.truth.trades

"""Small hand-written venues, journal and clock: what they do next is scripted, what is true is readable.

`cash` and `short` are the truth of the account, whatever the answers say.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from hedge_leg.core.events import Event
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.orders import OrderIntent, OrderReport, Side, SpotFill
from hedge_leg.errors import JournalError, OutcomeUnknown, VenueRefused, VenueUnavailable, VersionConflict
from hedge_leg.ports import Recorded, SpotTrade

PAIR, SYMBOL = "BTC/USDT:USDT", "BTC/USDT"
ZERO = Decimal(0)
START_MS = 1_700_000_000_000
RULES = MarketRules(
    symbol=SYMBOL,
    base="BTC",
    quote="USDT",
    lot=Decimal("0.001"),
    tick=Decimal("0.01"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal(1000),
    min_notional=Decimal(5),
    fee_rate=Decimal("0.001"),
    fee_in_base=False,
)


class Answer(StrEnum):
    """What the next order meets."""

    FILL = "filled"
    PART = "half filled, the rest expired"
    EXPIRE = "nothing filled, expired"
    REFUSE = "refused"
    LOST = "filled, no answer"
    LOST_PART = "half filled, no answer"
    NEVER = "not taken, no answer"
    LATE = "arrives 3 s later, no answer"
    HIDDEN = "filled, no answer, not found for 3 s"
    WORK = "taken, not yet filled"


UNANSWERED = frozenset({Answer.LOST, Answer.LOST_PART, Answer.NEVER, Answer.LATE, Answer.HIDDEN})
LATE_MS = 3_000


@dataclass
class FakeClock:
    """Time that moves only when somebody sleeps."""

    at_ms: int = START_MS

    def now_ms(self) -> int:
        """Return the present."""
        return self.at_ms

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.at_ms += round(seconds * 1000)


@dataclass
class FakeJournal:
    """Rows in a list. `failing`: so many of the next appends raise and write nothing."""

    rows: list[Recorded] = field(default_factory=list)
    failing: int = 0

    def append(self, carry_id: str, after_version: int, events: Sequence[Event]) -> None:
        """Write all events or none."""
        if self.failing:
            self.failing -= 1
            raise JournalError("disk full")
        if len(self.read(carry_id)) != after_version:
            raise VersionConflict(f"{carry_id} is not at {after_version}")
        self.rows += [Recorded(carry_id, after_version + n, event) for n, event in enumerate(events, 1)]

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's rows."""
        return [row for row in self.rows if row.carry_id == carry_id]

    def stream(self) -> Iterable[Recorded]:
        """Yield everything in the order it was written."""
        return list(self.rows)

    def close(self) -> None:
        """Do nothing."""


@dataclass
class FakeSpot:
    """A spot account on one market. `fee_asset`: the base takes what is bought, and quote at a sale.

    `down_until_ms`: no call is answered before; `mute`: reads that fail.
    """

    clock: FakeClock
    market: MarketRules = RULES
    bid: Decimal = Decimal("99.99")
    ask: Decimal = Decimal("100.01")
    depth: Decimal = Decimal(1000)
    fee_asset: str = "USDT"
    cash: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(100_000)})
    script: deque[Answer] = field(default_factory=deque)
    sent: list[OrderIntent] = field(default_factory=list)
    orders: dict[str, OrderReport] = field(default_factory=dict)
    doubled: list[OrderReport] = field(default_factory=list)  # repeats of the network, found by their id only
    trades: list[SpotTrade] = field(default_factory=list)
    mute: set[str] = field(default_factory=set)
    down_until_ms: int = 0
    stale: dict[str, Decimal] | None = None  # balances that an old answer shows
    on_fill: Callable[[Side], None] | None = None  # told after each execution
    _arriving: list[tuple[int, OrderIntent]] = field(default_factory=list)
    _hidden: dict[str, int] = field(default_factory=dict)

    def _read(self, what: str) -> None:
        if what in self.mute or self.clock.now_ms() < self.down_until_ms:
            raise VenueUnavailable(f"{what}: no answer")
        for at_ms, intent in list(self._arriving):
            if at_ms <= self.clock.now_ms():
                self._arriving.remove((at_ms, intent))
                self._execute(intent, intent.qty)

    def rules(self, symbol: str) -> MarketRules:
        """Return the filters."""
        self._read("rules")
        return self.market

    def book(self, symbol: str) -> Book:
        """Return one level each side."""
        self._read("book")
        levels = ((self.bid, self.depth),), ((self.ask, self.depth),)
        return Book(*levels, self.clock.now_ms())

    def balances(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """Return the account, or what an old answer shows of it."""
        self._read("balances")
        shown = self.cash if self.stale is None else self.stale
        return {asset: (amount, amount) for asset, amount in shown.items()}

    def place(self, intent: OrderIntent) -> OrderReport:
        """Meet the next answer of the script; without one the order is filled."""
        if self.clock.now_ms() < self.down_until_ms:
            raise OutcomeUnknown("connection refused")
        answer = self.script.popleft() if self.script else Answer.FILL
        self.sent.append(intent)
        if answer is Answer.REFUSE:
            raise VenueRefused("insufficient balance", "-2010")
        if answer is Answer.LATE:
            self._arriving.append((self.clock.now_ms() + LATE_MS, intent))
        elif answer is Answer.WORK:
            self.orders[intent.client_id] = OrderReport(intent.client_id, "s0", ZERO, final=False)
        elif answer is not Answer.NEVER:
            half = answer in (Answer.PART, Answer.LOST_PART)
            lots = (intent.qty / self.market.lot / 2).to_integral_value() * self.market.lot
            self._execute(intent, ZERO if answer is Answer.EXPIRE else lots if half else intent.qty)
        if answer is Answer.HIDDEN:
            self._hidden[intent.client_id] = self.clock.now_ms() + LATE_MS
        if answer in UNANSWERED:
            raise OutcomeUnknown("no answer in 10 s")
        return self.orders[intent.client_id]

    def _execute(self, intent: OrderIntent, qty: Decimal) -> None:
        buying = intent.side is Side.BUY
        px = self.ask if buying else self.bid
        if (intent.limit_px < px) if buying else (intent.limit_px > px):
            qty = ZERO
        number = len(self.orders) + 1
        fills: tuple[SpotFill, ...] = ()
        if qty:
            fills = (self._fill(intent.side, qty, px, f"t{len(self.trades) + 1}"),)
            self.trades.append(SpotTrade(fills[0].trade_id, f"s{number}", qty, px, self.clock.now_ms()))
        self.orders[intent.client_id] = OrderReport(intent.client_id, f"s{number}", qty, True, fills)

    def _fill(self, side: Side, qty: Decimal, px: Decimal, trade_id: str) -> SpotFill:
        value, market = qty * px, self.market
        asset = market.quote if (self.fee_asset, side) == (market.base, Side.SELL) else self.fee_asset
        fee_value = market.fee_rate * value
        fee = market.fee_rate * {market.base: qty, market.quote: value}.get(asset, value / 600)
        sign = 1 if side is Side.BUY else -1
        for coin, change in ((market.base, sign * qty), (market.quote, -sign * value), (asset, -fee)):
            self.cash[coin] = self.cash.get(coin, ZERO) + change
        if self.on_fill is not None:
            self.on_fill(side)
        return SpotFill(trade_id, side, qty, px, fee, asset, fee_value, self.clock.now_ms())

    def find(self, intent: OrderIntent) -> OrderReport | None:
        """Look an order up, unless it is still hidden."""
        self._read("find")
        if self.clock.now_ms() < self._hidden.get(intent.client_id, 0):
            return None
        return self.orders.get(intent.client_id)

    def cancel(self, intent: OrderIntent) -> None:
        """End an order that works, with nothing filled."""
        self._read("cancel")
        report = self.orders.get(intent.client_id)
        if report is not None and not report.final:
            self.orders[intent.client_id] = replace(report, final=True)

    def finish(self, client_id: str) -> None:
        """Fill an order that works."""
        intent = next(one for one in self.sent if one.client_id == client_id)
        self._execute(intent, intent.qty)

    def open_client_ids(self, symbol: str) -> frozenset[str]:
        """Return what works."""
        self._read("open_client_ids")
        return frozenset(key for key, report in self.orders.items() if not report.final)

    def orders_of(self, symbol: str, client_ids: Set[str], since_ms: int) -> Sequence[OrderReport]:
        """Return the orders of the client ids, those that a network doubled last."""
        self._read("orders_of")
        own = [report for key, report in self.orders.items() if key in client_ids]
        return own + [report for report in self.doubled if report.client_id in client_ids]

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[SpotTrade]:
        """Return the trades."""
        self._read("trades_since")
        return [trade for trade in self.trades if trade.filled_ms >= since_ms]

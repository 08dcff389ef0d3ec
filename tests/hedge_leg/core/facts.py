"""Facts of one carry, in few words: an announcement, fills of both legs, misses, and what is seen."""

from dataclasses import replace
from decimal import Decimal

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.market import Book
from hedge_leg.core.orders import OrderIntent, Purpose, Side, SpotFill
from hedge_leg.core.plan import Sight
from hedge_leg.core.position import replay
from tests.hedge_leg.fakes import PAIR, RULES, START_MS, SYMBOL

PX = Decimal(100)
BOOK = Book(((Decimal("99.99"), Decimal(10)),), ((Decimal("100.01"), Decimal(10)),), START_MS)
SIGHT = Sight(now_ms=START_MS + 1_000, rules=RULES, book=BOOK, perp_closable=True)
ANNOUNCED = ev.Announced(
    at_ms=START_MS,
    pair=PAIR,
    symbol=SYMBOL,
    base="BTC",
    quote="USDT",
    planned_qty=Decimal(1),
    reference_px=PX,
    leverage=Decimal(2),
    base_before=Decimal(0),
    inherited_qty=Decimal(0),
    inherited_cost=Decimal(0),
)
HEDGED = ev.Hedged(START_MS + 1)
EXIT = ev.ExitAsked(START_MS + 500, "signal")
ROLLBACK = ev.RollbackStarted(START_MS + 500, "test")


def sold(qty: str, order_id: str = "p1", at_ms: int = START_MS, px: Decimal = PX) -> ev.PerpFilled:
    """Return a perp fill: positive `qty` goes short, negative covers."""
    return ev.PerpFilled(at_ms, order_id, -Decimal(qty), px, Decimal("0.05"), at_ms, ev.PerpSource.HOST, 1)


def fill(qty: str, key: str = "t1", *, at_ms: int = START_MS, px: Decimal = PX) -> SpotFill:
    """Return a spot fill without fee: positive buys, negative sells."""
    signed = Decimal(qty)
    side = Side.BUY if signed > 0 else Side.SELL
    return SpotFill(key, side, abs(signed), px, Decimal(0), "USDT", Decimal(0), at_ms)


def intent(number: int = 1, qty: str = "1", side: Side = Side.BUY) -> OrderIntent:
    """Return the intent of the `number`-th order."""
    return OrderIntent(f"hl-X-{number}", SYMBOL, side, Decimal(qty), Decimal("100.11"), 0, Purpose.OPEN)


def intended(
    number: int = 1, qty: str = "1", side: Side = Side.BUY, at_ms: int = START_MS
) -> ev.SpotIntended:
    """Return the fact that an order is about to be sent."""
    return ev.SpotIntended(at_ms, intent(number, qty, side))


def answered(number: int, *fills: SpotFill, final: bool = True, at_ms: int = START_MS) -> ev.SpotAnswered:
    """Return the venue's answer to the `number`-th order."""
    return ev.SpotAnswered(at_ms, f"hl-X-{number}", f"s{number}", fills, final)


def bought(qty: str, number: int = 1) -> tuple[ev.Event, ...]:
    """Return the two facts of an order that filled: positive buys, negative sells."""
    side = Side.BUY if Decimal(qty) > 0 else Side.SELL
    return intended(number, qty.removeprefix("-"), side), answered(number, fill(qty, f"t{number}"))


def missed(number: int, at_ms: int = START_MS) -> tuple[ev.Event, ...]:
    """Return the two facts of an order that expired with nothing filled."""
    return intended(number, at_ms=at_ms), answered(number, at_ms=at_ms)


def carry(*facts: ev.Event) -> Carry:
    """Return the carry "X" after its announcement and these facts."""
    return replay("X", (ANNOUNCED, *facts))


def fee_in_base() -> Sight:
    """Return a sight of a market that takes the fee from what arrives."""
    return replace(SIGHT, rules=replace(RULES, fee_in_base=True))

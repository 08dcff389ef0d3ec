"""One carry as its facts tell it: the record. `position.evolve` is the only way it changes.

Facts are kept under the outside's own keys (order id, trade id, settlement), so a fact that is delivered
twice, late or out of order leaves the carry as it was. Quantities and P&L are queries over the facts.
"""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from hedge_leg.core import events as ev
from hedge_leg.core.amounts import ZERO
from hedge_leg.core.orders import InFlight, SpotFill
from hedge_leg.core.states import Mode, State

Point = tuple[Decimal, int, Decimal]  # cumulative signed quantity, ms, average price


@dataclass(frozen=True, slots=True)
class PerpFact:
    """What is known of one perp order: signed `qty`, `value` = price x |qty| and `fee` in quote.

    `seen`: how far it had filled when, by quantity.
    """

    order_id: str
    qty: Decimal
    value: Decimal
    fee: Decimal
    filled_ms: int
    source: ev.PerpSource
    settled: bool = False
    seen: tuple[Point, ...] = ()

    def steps(self) -> list[tuple[int, Decimal, Decimal]]:
        """Return (ms, signed quantity, price) of each part that was seen to fill, by quantity."""
        found: list[tuple[int, Decimal, Decimal]] = []
        before = ZERO
        for qty, at_ms, px in self.seen:
            found.append((at_ms, qty - before, px))
            before = qty
        if self.qty != before and self.qty:
            found.append((self.filled_ms, self.qty - before, self.value / abs(self.qty)))
        return found

    def executions(self) -> list[tuple[int, Decimal, Decimal]]:
        """Return (ms, signed quantity, value) of each execution; the whole order until they are known."""
        if self.settled:
            parts = [(at_ms, qty, abs(qty) * px) for at_ms, qty, px in self.steps()]
            if sum((value for _at_ms, _qty, value in parts), ZERO) == self.value:
                return parts
        return [(self.filled_ms, self.qty, self.value)]


@dataclass(slots=True)
class Carry:
    """A carry between two events. Do not change it: `evolve` returns the next one."""

    carry_id: str
    version: int = 0
    state: State = State.IDLE
    announced: ev.Announced | None = None
    trade_id: int | None = None
    perp: dict[str, PerpFact] = field(default_factory=dict)
    fills: dict[str, SpotFill] = field(default_factory=dict)
    funding: dict[str, ev.FundingPaid] = field(default_factory=dict)
    costs: dict[str, ev.CostCharged] = field(default_factory=dict)
    adjusted: dict[str, ev.InventoryAdjusted] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    order: InFlight | None = None
    perp_close: ev.PerpCloseIntended | None = None
    resizes: tuple[ev.ResizeAsked, ...] = ()  # the latest ones
    sent: dict[str, int] = field(default_factory=dict)  # client id -> when its intent was committed
    answered: dict[str, str] = field(default_factory=dict)  # client id -> how it ended
    balancing: frozenset[str] = frozenset()  # ids of the orders that only kept or changed an open pair's size
    balancing_fills: frozenset[str] = frozenset()  # trade ids of such spot orders
    misses: int = 0  # orders of the present gap that did not fill completely
    last_miss_ms: int = 0
    rolling_back: bool = False
    closing_since_ms: int = 0
    abandoned_ms: int = 0  # when the latest exit was given up
    undone_exits: int = 0  # exits given up with spot already sold, in a row
    why: str = ""  # reason of the present closing, halt or end
    closed: ev.Closed | None = None
    retries: int = 0
    rollbacks: int = 0
    halts: int = 0
    short_qty: Decimal = ZERO  # base units, negative if the perp is long
    spot_qty: Decimal = ZERO
    began_ms: int = 0
    perp_known_ms: int = 0  # when the latest perp fill was journaled
    first_sent_lag_ms: int | None = None
    hedged_lag_ms: int | None = None  # of the opening; kept to the end

    @property
    def facts(self) -> ev.Announced:
        """Return what was announced; a carry without it does not exist."""
        assert self.announced is not None, "a carry begins by being announced"
        return self.announced

    @property
    def mode(self) -> Mode | None:
        """Return which row of the joint table applies; None while nothing is done about the legs."""
        match self.state:
            case State.OPENING:
                return Mode.OPENING
            case State.ACTIVE:
                return Mode.ACTIVE
            case State.CLOSING:
                return Mode.ROLLING_BACK if self.rolling_back else Mode.EXITING
            case State.IDLE | State.HALTED:
                return None
            case _:
                assert_never(self.state)

    @property
    def alive(self) -> bool:
        """Return whether the carry has begun and not closed."""
        return self.announced is not None and self.closed is None

    @property
    def adopted(self) -> bool:
        """Return whether freqtrade knows none of the carry's perp orders."""
        return bool(self.perp) and all(one.source is not ev.PerpSource.HOST for one in self.perp.values())


def new_carry_id(base: str, pair: str, at_ms: int, number: int) -> str:
    """Return a short id that is the same for the same announcement: coin and eight hex digits."""
    digest = hashlib.sha256(f"{pair}|{at_ms}|{number}".encode()).hexdigest()[:8]
    coin = "".join(letter for letter in base.upper() if letter.isascii() and letter.isalnum())[:8]
    return f"{coin or 'X'}{digest}"

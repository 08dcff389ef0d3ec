"""Records of an observer: what it looks at, what it would do, and what it pretends to hold.

Rates are fractions, positive = longs pay shorts; `_bps` are of a leg's notional, prices quote per base unit,
money quote, times Unix ms.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.market import Book

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Choice(StrEnum):
    """What would be done: open or wait while nothing is held, hold or leave while a pair is."""

    OPEN = "open"
    WAIT = "wait"
    HOLD = "hold"
    LEAVE = "leave"
    BLIND = "blind"  # something could not be read, so nothing can be said


@dataclass(frozen=True, slots=True)
class ObserverRules:
    """When the observer would open and leave. Daily rates as fractions, `max_slippage` of the best price."""

    min_daily_rate: Decimal
    min_streak: int
    leave_daily_rate: Decimal
    flip_tolerance_ms: int
    holding_days: Decimal
    max_slippage: Decimal


@dataclass(frozen=True, slots=True)
class FundingSeen:
    """Funding of a pair as its venue tells it. Rates per interval, positive = longs pay shorts.

    `streak`: positive settlements in a row up to the last one. `due`: the next settlement's time has come,
    and the venue does not list it yet. `last_interval_ms`: between the last two settlements; None: one is
    known.
    """

    last_rate: Decimal
    last_ms: int
    predicted_rate: Decimal | None
    next_ms: int
    streak: int
    due: bool = False
    last_interval_ms: int | None = None

    @property
    def interval_ms(self) -> int:
        """Return the time between the last settlement and the next."""
        return self.next_ms - self.last_ms

    @property
    def last_daily(self) -> Decimal:
        """Return the last rate per day, by the interval that it was paid for."""
        return self.last_rate * DAY_MS / (self.last_interval_ms or self.interval_ms)

    @property
    def predicted_daily(self) -> Decimal | None:
        """Return the predicted rate per day, by the interval that runs; None: the venue predicts none."""
        return None if self.predicted_rate is None else self.predicted_rate * DAY_MS / self.interval_ms


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at a pair. `qty`: planned base units in whole lots; `blocked`: why it may not be traded."""

    at_ms: int
    pair: str
    perp: Book
    spot: Book
    qty: Decimal
    funding: FundingSeen
    blocked: str = ""
    regime: str = ""
    regime_why: str = ""
    signal: bool | None = None


@dataclass(frozen=True, slots=True)
class Shadow:
    """The pair that the observer pretends to hold, and what became of those it has left. Money in quote.

    `net`: of the pretended pair, if it were closed at `at_ms`; `realized`: of the `closed` ones before it.
    `settled_ms`: the last settlement that `funding` knows.
    """

    at_ms: int
    pair: str
    opened_ms: int | None = None
    qty: Decimal = ZERO
    perp_px: Decimal = ZERO
    spot_px: Decimal = ZERO
    flipped_since_ms: int | None = None
    settled_ms: int = 0
    funding: Decimal = ZERO
    net: Decimal = ZERO
    closed: int = 0
    realized: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one look. None: the book does not hold the size, or break-even never comes.

    Depth is quote within `max_slippage` of the best price. Slippage is measured from the mid of each book.
    Fees are of a round trip with both legs; `perp_fee_bps`, `spot_fee_bps` of one fill, as configured.
    """

    qty: Decimal
    notional: Decimal
    perp_bid: Decimal
    perp_ask: Decimal
    spot_bid: Decimal
    spot_ask: Decimal
    perp_bid_depth: Decimal
    perp_ask_depth: Decimal
    spot_bid_depth: Decimal
    spot_ask_depth: Decimal
    perp_sell_px: Decimal | None
    spot_buy_px: Decimal | None
    perp_buy_px: Decimal | None
    spot_sell_px: Decimal | None
    basis_bps: Decimal
    last_rate: Decimal
    last_ms: int
    predicted_rate: Decimal | None
    next_ms: int
    interval_h: Decimal
    daily_rate: Decimal
    streak: int
    perp_fee_bps: Decimal
    spot_fee_bps: Decimal
    taker_fees_bps: Decimal
    maker_fees_bps: Decimal
    entry_slippage_bps: Decimal | None
    exit_slippage_bps: Decimal | None
    borrow_daily_bps: Decimal
    fixed: Decimal
    round_trip_cost: Decimal | None
    net_daily: Decimal | None
    break_even_days: Decimal | None
    maker_break_even_days: Decimal | None

    @property
    def perp_mid(self) -> Decimal:
        """Return the middle of the perp's book."""
        return (self.perp_bid + self.perp_ask) / 2

    @property
    def spot_mid(self) -> Decimal:
        """Return the middle of the spot book."""
        return (self.spot_bid + self.spot_ask) / 2


@dataclass(frozen=True, slots=True)
class Opportunity:
    """What was seen of a pair at a time, what would be done, and why. `figures` None: blind."""

    at_ms: int
    pair: str
    choice: Choice
    reason: str
    figures: Figures | None = None
    flipped_since_ms: int | None = None
    signal: bool | None = None
    regime: str = ""
    regime_why: str = ""


def blind(at_ms: int, pair: str, reason: str) -> Opportunity:
    """Return the record of a look that failed."""
    return Opportunity(at_ms, pair, Choice.BLIND, reason)

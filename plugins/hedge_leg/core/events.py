"""Everything that can be journaled: one frozen dataclass per fact, past tense.

`at_ms` is when the fact was journaled; a fill's or a payment's own time stands beside it. Every fact that
comes from outside carries a key of the outside (order id, trade id, settlement), so that delivering it
twice or out of order changes nothing. Fields are plain: Decimal, int, str, bool, StrEnum, None, tuples of
such dataclasses. A new field needs a default, a changed meaning a new event: journals are read back for ever.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hedge_leg.core.orders import OrderIntent, SpotFill


class PerpSource(StrEnum):
    """Who told of a perp order."""

    HOST = "host"  # freqtrade's own order
    VENUE = "venue"  # found on the exchange only: lost answer, liquidation, ADL, somebody's hand
    ENGINE = "engine"  # our reduce-only close of a position that freqtrade does not know


@dataclass(frozen=True, slots=True)
class Announced:
    """The entry gate let an entry pass: IDLE -> OPENING. The only first event of a carry.

    `pair`: freqtrade's perp; `symbol`: the spot market. `planned_qty` base units of the perp order,
    `reference_px` its price. `base_before`: base balance on the spot account before the carry, for proofs.
    `inherited_qty`, `inherited_cost`: remainders below a lot taken over from earlier carries, at cost.
    """

    at_ms: int
    pair: str
    symbol: str
    base: str
    quote: str
    planned_qty: Decimal
    reference_px: Decimal
    leverage: Decimal
    base_before: Decimal
    inherited_qty: Decimal
    inherited_cost: Decimal


@dataclass(frozen=True, slots=True)
class PerpFilled:
    """A perp order has filled so far: cumulative signed `qty` (short entries negative) at average `px`.

    `fee` in quote is what the host reckons; `PerpSettled` replaces it by what was charged.
    `trade_id`: freqtrade's, None for orders that freqtrade does not know.
    """

    at_ms: int
    order_id: str
    qty: Decimal
    px: Decimal
    fee: Decimal
    filled_ms: int
    source: PerpSource
    trade_id: int | None = None


@dataclass(frozen=True, slots=True)
class PerpPart:
    """One execution of a perp order: signed base units at `px`."""

    filled_ms: int
    qty: Decimal
    px: Decimal


@dataclass(frozen=True, slots=True)
class PerpSettled:
    """The exact books of a finished perp order: signed `qty`; `value` (sum of px x |qty|), `fee` in quote.

    `parts`: its executions by time, where the venue tells them; they sum to `qty`.
    """

    at_ms: int
    order_id: str
    qty: Decimal
    value: Decimal
    fee: Decimal
    parts: tuple[PerpPart, ...] = ()


@dataclass(frozen=True, slots=True)
class PerpCloseIntended:
    """A reduce-only market order on the perp is about to be sent by us: buy `qty` base units."""

    at_ms: int
    client_id: str
    qty: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class PerpCloseResolved:
    """The outcome of our reduce-only close is known: it filled, or it was refused."""

    at_ms: int
    client_id: str
    order_id: str
    filled_qty: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class ResizeAsked:
    """freqtrade was asked to change the perp by signed `qty` (more short: negative)."""

    at_ms: int
    qty: Decimal


@dataclass(frozen=True, slots=True)
class SpotIntended:
    """The intent of a spot order; committed before the order is sent."""

    at_ms: int
    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class SpotAnswered:
    """The venue told of a spot order: all its fills so far, and whether it is final."""

    at_ms: int
    client_id: str
    venue_id: str
    fills: tuple[SpotFill, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class SpotRefused:
    """Proof that the order does not exist: the venue refused it, or we did before it left."""

    at_ms: int
    client_id: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class SpotOutcomeUnknown:
    """The order was sent and the answer says nothing of its fate."""

    at_ms: int
    client_id: str
    why: str


@dataclass(frozen=True, slots=True)
class SpotAbsent:
    """The venue says for the first time that it does not know the order. Not yet proof."""

    at_ms: int
    client_id: str


@dataclass(frozen=True, slots=True)
class SpotDisproved:
    """Proof after the grace time: not found, not open, no trade of it, and the balance agrees."""

    at_ms: int
    client_id: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Hedged:
    """Both legs are equal within the tolerance: OPENING -> ACTIVE."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class ExitAsked:
    """freqtrade wants to leave: ACTIVE -> CLOSING, spot first."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class ExitAbandoned:
    """Spot was not sold, or the perp did not close: CLOSING -> ACTIVE, what was sold is bought back."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class RollbackStarted:
    """The pair cannot be completed: -> CLOSING, the perp leaves first, spot follows it down."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Both legs are flat: -> IDLE. `dust_qty` base units below a lot stay as inventory at `dust_cost`.

    No new carry of this pair before `cool_down_until_ms` (0: none).
    """

    at_ms: int
    reason: str
    dust_qty: Decimal
    dust_cost: Decimal
    cool_down_until_ms: int


@dataclass(frozen=True, slots=True)
class Halted:
    """Nothing is traded on this carry until somebody releases it."""

    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """An operator, or a reconciliation that found nothing wrong, let the carry go on as ACTIVE or CLOSING."""

    at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class InventoryAdjusted:
    """An operator accepted the venue's spot quantity: signed `qty` base units at `px`, by hand."""

    at_ms: int
    key: str
    qty: Decimal
    px: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """One settlement, received positive, in quote. `key` is the venue's own or the settlement's minute."""

    at_ms: int
    key: str
    amount: Decimal
    paid_ms: int


@dataclass(frozen=True, slots=True)
class CostCharged:
    """A cost that is not a fill's: `kind` "fixed" or "borrow", `amount` in quote, positive = paid."""

    at_ms: int
    key: str
    kind: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Alarmed:
    """Somebody must look: what was sent to the operator. `key` makes each alarm ring once."""

    at_ms: int
    key: str
    text: str


Event = (
    Announced
    | PerpFilled
    | PerpSettled
    | PerpCloseIntended
    | PerpCloseResolved
    | ResizeAsked
    | SpotIntended
    | SpotAnswered
    | SpotRefused
    | SpotOutcomeUnknown
    | SpotAbsent
    | SpotDisproved
    | Hedged
    | ExitAsked
    | ExitAbandoned
    | RollbackStarted
    | Closed
    | Halted
    | Released
    | InventoryAdjusted
    | FundingPaid
    | CostCharged
    | Alarmed
)

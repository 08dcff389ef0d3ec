"""The vocabulary of decisions: the policy, what is seen, and the effects the engine can perform."""

from dataclasses import dataclass
from decimal import Decimal

from hedge_leg.core.events import Event
from hedge_leg.core.market import Book, MarketRules
from hedge_leg.core.orders import OrderIntent


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers of execution. Times in ms, slippages as fractions, the unhedged bound in seconds.

    `attempts`: orders of one gap that may miss before the plan changes; `most_misses`: before a halt.
    The bound of a carry is its entry notional x `max_unhedged_s`.
    """

    open_timeout_ms: int = 10_000
    close_timeout_ms: int = 30_000
    order_timeout_ms: int = 5_000
    poll_ms: int = 500
    grace_ms: int = 5_000
    slippage: Decimal = Decimal("0.001")
    retry_slippage: Decimal = Decimal("0.003")
    attempts: int = 2
    most_misses: int = 8
    rebalance_threshold: Decimal = Decimal("0.002")
    small_gap: Decimal = Decimal("0.05")
    cool_down_ms: int = 3_600_000
    refused_cool_down_ms: int = 60_000
    max_unhedged_s: Decimal = Decimal(120)
    max_slice_notional: Decimal | None = None

    @staticmethod
    def exit_pause_ms(undone_exits: int) -> int:
        """Return how long after an exit that was given up no other one begins: a minute to an hour.

        Each exit that is undone costs both spot fees, and stands unhedged for a while.
        """
        return int(min(60_000 * 2**undone_exits, 3_600_000))

    def backoff_ms(self, misses: int) -> int:
        """Return how long to wait after a miss: nothing at first, then doubling up to a minute."""
        return 0 if misses < self.attempts else min(self.poll_ms * 2 ** (misses - self.attempts + 1), 60_000)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen now. `book` None: not read yet. `perp_absent`: proof of no unknown perp order.

    `perp_working`: freqtrade still has an open entry order; `host_open`: freqtrade has an open trade.
    `perp_closable`: there is a perp venue on which we could close reduce-only. `blind`: the book could not
    be read just now. `perp_agreed`: the exchange's position was lately seen to be the carry's.
    """

    now_ms: int
    rules: MarketRules
    book: Book | None = None
    perp_absent: bool = False
    perp_working: bool = False
    host_open: bool = True
    perp_closable: bool = False
    blind: bool = False
    perp_agreed: bool = True


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Read the spot book, then ask again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Journal the intent, then send it."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class Look:
    """Look the order up by its client id."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class Prove:
    """The order was not found for the whole grace time: look at everything that could tell otherwise."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an order that should have ended long ago, then look it up."""

    intent: OrderIntent


@dataclass(frozen=True, slots=True)
class ProveNoPerp:
    """Look at position and orders of the perp since the carry was announced."""


@dataclass(frozen=True, slots=True)
class ClosePerp:
    """Buy `qty` base units reduce-only."""

    qty: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class LookPerp:
    """Look our own reduce-only order up by its client id."""

    client_id: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until_ms` (0: until something happens)."""

    until_ms: int = 0


Effect = ReadBook | Place | Look | Prove | Cancel | ProveNoPerp | ClosePerp | LookPerp | Rest


@dataclass(frozen=True, slots=True)
class Decision:
    """Events to journal now, in order, and the effect to perform after that."""

    events: tuple[Event, ...] = ()
    effect: Effect | None = None

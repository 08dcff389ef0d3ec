"""A thin book for one order: it gets only a share of what it would get, and what rests of it waits.

Set for the task that handles one request, and so seen by nothing else (see `fault_middleware`).
"""

from contextvars import ContextVar
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from paper_exchange.book import Level

FOREVER_MS = 1 << 62
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Thinning:
    """`share` (0..1) of the executions is left; the rest is idle for `rest_ms` (None: until canceled)."""

    share: Decimal
    rest_ms: int | None = None


THINNING: ContextVar[Thinning | None] = ContextVar("THINNING", default=None)


def thinned(found: list[Level], lot: Decimal) -> list[Level]:
    """Return what is left of executions, best first: the share of their sum, rounded down to the lot."""
    thinning = THINNING.get()
    if thinning is None:
        return found
    left_qty = floor_lots(sum((level.qty for level in found), _ZERO) * thinning.share, lot)
    kept: list[Level] = []
    for level in found:
        qty = min(level.qty, left_qty)
        if qty:
            kept.append(Level(level.px, qty))
        left_qty -= qty
    return kept


def idle_until_ms(now_ms: int) -> int:
    """Return until when a new order that rests is passed over by the price; 0 as a rule."""
    thinning = THINNING.get()
    if thinning is None:
        return 0
    return FOREVER_MS if thinning.rest_ms is None else now_ms + thinning.rest_ms


def floor_lots(qty: Decimal, lot: Decimal) -> Decimal:
    """Round base units down to whole lots."""
    return (qty / lot).to_integral_value(ROUND_DOWN) * lot

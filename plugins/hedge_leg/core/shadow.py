"""The observer's pretended pair: opened, paid, left as the decisions say. Pure; its state is its snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.opportunity import Choice, Figures, Opportunity, Shadow
from hedge_leg.core.outcome import PairTerms, PairTrade, outcome

MINUTE_MS = 60_000


def to_minute(at_ms: int) -> int:
    """Return a settlement's stamp rounded to the minute: venues stamp them some milliseconds late."""
    return (at_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Settlement:
    """A funding settlement as the venue's own history tells it. `mark_px` None: it tells none."""

    at_ms: int
    pair: str
    rate: Decimal
    mark_px: Decimal | None = None

    def paid(self, qty: Decimal, px: Decimal) -> Decimal:
        """Return what a short of `qty` base units received, quote; at `px` where no mark is told."""
        return money(self.rate * qty * (px if self.mark_px is None else self.mark_px))


def follow(shadow: Shadow, found: Opportunity, settlements: Iterable[Settlement], terms: PairTerms) -> Shadow:
    """Return the shadow after a decision. A blind look changes nothing: its money is counted at the next.

    `settlements`: any that may be new; those that were paid before the opening, or are known, do not count.
    """
    figures = found.figures
    if figures is None:
        return shadow
    if found.choice is Choice.OPEN:
        shadow = _opened(shadow, found, figures)
    elif shadow.opened_ms is not None:
        shadow = _paid(shadow, found.at_ms, settlements)
    shadow = replace(shadow, at_ms=found.at_ms, flipped_since_ms=found.flipped_since_ms)
    if shadow.opened_ms is None:
        return shadow
    shadow = replace(shadow, net=_net(shadow, figures, terms, shadow.opened_ms))
    if found.choice is not Choice.LEAVE:
        return shadow
    return Shadow(
        *(found.at_ms, found.pair),
        settled_ms=shadow.settled_ms,
        closed=shadow.closed + 1,
        realized=shadow.realized + shadow.net,
    )


def _opened(shadow: Shadow, found: Opportunity, figures: Figures) -> Shadow:
    assert figures.perp_sell_px is not None
    assert figures.spot_buy_px is not None
    return replace(
        shadow,
        opened_ms=found.at_ms,
        qty=figures.qty,
        perp_px=figures.perp_sell_px,
        spot_px=figures.spot_buy_px,
        settled_ms=figures.last_ms,
        funding=ZERO,
    )


def _paid(shadow: Shadow, at_ms: int, settlements: Iterable[Settlement]) -> Shadow:
    assert shadow.opened_ms is not None
    after_ms = max(shadow.settled_ms, shadow.opened_ms)
    new = [one for one in settlements if after_ms < one.at_ms <= at_ms]
    funding = sum((one.paid(shadow.qty, shadow.perp_px) for one in new), shadow.funding)
    return replace(
        shadow, funding=funding, settled_ms=max((one.at_ms for one in new), default=shadow.settled_ms)
    )


def _net(shadow: Shadow, figures: Figures, terms: PairTerms, opened_ms: int) -> Decimal:
    """Return what closing now would leave; the last known where a book does not hold the size."""
    if figures.perp_buy_px is None or figures.spot_sell_px is None:
        return shadow.net
    trade = PairTrade(shadow.qty, shadow.perp_px, shadow.spot_px, figures.perp_buy_px, figures.spot_sell_px)
    held_ms = max(shadow.at_ms - opened_ms, 0)
    return outcome(trade, terms, funding=shadow.funding, held_ms=held_ms).net

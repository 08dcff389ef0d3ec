"""Stretches of held perp without a booked settlement: missing funding is told, never read as 0."""

from itertools import pairwise

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.carry import Carry

HOUR_MS = 3_600_000
LONGEST_MS = 9 * HOUR_MS  # exchanges settle every 8 h at most; an hour for the booking

Stretch = tuple[int, int]  # (from, until) in ms UTC


def unbooked(carry: Carry, now_ms: int) -> list[Stretch]:
    """Return the stretches above `LONGEST_MS` of held perp in which no funding is booked, by time."""
    paid_ms = sorted(one.paid_ms for one in carry.funding.values())
    found: list[Stretch] = []
    for since_ms, until_ms in _held(carry, now_ms):
        marks = [since_ms, *(at_ms for at_ms in paid_ms if since_ms < at_ms < until_ms), until_ms]
        found += [(a_ms, b_ms) for a_ms, b_ms in pairwise(marks) if b_ms - a_ms > LONGEST_MS]
    return found


def missing_text(stretches: list[Stretch]) -> str:
    """Return what is missing as a few words, "" where nothing is."""
    hours = sum(until_ms - since_ms for since_ms, until_ms in stretches) // HOUR_MS
    return f"{hours} h without a settlement: funding is missing" if stretches else ""


def _held(carry: Carry, now_ms: int) -> list[Stretch]:
    """Return when the perp was not flat."""
    steps = sorted((at_ms, qty) for fact in carry.perp.values() for at_ms, qty, _px in fact.steps())
    found: list[Stretch] = []
    held, since_ms = ZERO, 0
    for at_ms, qty in steps:
        if not held:
            since_ms = at_ms
        held += qty
        if not held:
            found.append((since_ms, at_ms))
    return [*found, (since_ms, now_ms)] if held else found

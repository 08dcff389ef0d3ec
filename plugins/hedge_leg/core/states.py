"""The states of a carry, the transition table, and the joint table of both legs. Data first.

Rules of this file:
1. A carry changes its state only by an event that stands in `TRANSITIONS`; anything else raises
   IllegalTransition and changes nothing. Facts (fills, payments, answers) never change the state.
2. What to do about two legs is looked up in `REMEDIES` by (mode, perp leg, spot leg). Nothing else
   decides it, so the table is the whole policy; `docs/reliability.md` prints it.
"""

from enum import StrEnum
from typing import Final

from hedge_leg.core.events import (
    Announced,
    Closed,
    Event,
    ExitAbandoned,
    ExitAsked,
    Halted,
    Hedged,
    Released,
    RollbackStarted,
)
from hedge_leg.errors import IllegalTransition


class State(StrEnum):
    """Where a carry is in its life."""

    IDLE = "IDLE"  # before it began and after it closed
    OPENING = "OPENING"
    ACTIVE = "ACTIVE"
    CLOSING = "CLOSING"
    HALTED = "HALTED"


TRANSITIONS: Final[dict[State, dict[type[Event], State]]] = {
    State.IDLE: {Announced: State.OPENING},
    State.OPENING: {
        Hedged: State.ACTIVE,
        RollbackStarted: State.CLOSING,
        Closed: State.IDLE,
        Halted: State.HALTED,
    },
    State.ACTIVE: {
        ExitAsked: State.CLOSING,
        RollbackStarted: State.CLOSING,
        Closed: State.IDLE,
        Halted: State.HALTED,
    },
    State.CLOSING: {
        ExitAbandoned: State.ACTIVE,
        RollbackStarted: State.CLOSING,
        Closed: State.IDLE,
        Halted: State.HALTED,
    },
    State.HALTED: {Released: State.ACTIVE, Closed: State.IDLE},
}
_TURNING: Final = frozenset(kind for row in TRANSITIONS.values() for kind in row)


def next_state(state: State, event: Event) -> State:
    """Return the state after an event; the same for a fact. Raises IllegalTransition."""
    kind = type(event)
    if kind not in _TURNING:
        return state
    after = TRANSITIONS[state].get(kind)
    if after is None:
        raise IllegalTransition(f"{kind.__name__} is not possible while {state}")
    return after


class Mode(StrEnum):
    """A state, with CLOSING split by which leg leaves first."""

    OPENING = "OPENING"
    ACTIVE = "ACTIVE"
    EXITING = "EXITING"  # spot first: freqtrade asked to leave
    ROLLING_BACK = "ROLLING_BACK"  # perp first: the pair cannot be completed


class PerpLeg(StrEnum):
    """The perp position."""

    FLAT = "flat"
    SHORT = "short"
    LONG = "long"  # never ours


class SpotLeg(StrEnum):
    """The spot inventory, against the perp where there is one."""

    FLAT = "flat"  # nothing that the market would take
    UNDER = "under"
    EQUAL = "equal"  # within the tolerance
    OVER = "over"


class Remedy(StrEnum):
    """What is done about the two legs."""

    NOTHING = "nothing"
    MARK_HEDGED = "mark hedged"
    BUY = "buy spot up to the perp"
    SELL = "sell the excess spot"
    SELL_ALL = "sell all spot"
    AWAIT_PERP = "wait for the perp to leave"
    PROVE_NO_PERP = "prove that no perp order exists"
    CLOSE = "close the carry"
    HALT = "halt and alarm"


def _rows() -> dict[tuple[Mode, PerpLeg, SpotLeg], Remedy]:
    flat, short = PerpLeg.FLAT, PerpLeg.SHORT
    table = {
        (Mode.OPENING, flat, SpotLeg.FLAT): Remedy.PROVE_NO_PERP,
        (Mode.OPENING, short, SpotLeg.FLAT): Remedy.BUY,
        (Mode.OPENING, short, SpotLeg.UNDER): Remedy.BUY,
        (Mode.OPENING, short, SpotLeg.EQUAL): Remedy.MARK_HEDGED,
        (Mode.ACTIVE, flat, SpotLeg.FLAT): Remedy.CLOSE,
        (Mode.ACTIVE, short, SpotLeg.FLAT): Remedy.BUY,
        (Mode.ACTIVE, short, SpotLeg.UNDER): Remedy.BUY,
        (Mode.ACTIVE, short, SpotLeg.EQUAL): Remedy.NOTHING,
        (Mode.EXITING, flat, SpotLeg.FLAT): Remedy.CLOSE,
        (Mode.EXITING, short, SpotLeg.FLAT): Remedy.AWAIT_PERP,
        (Mode.EXITING, short, SpotLeg.UNDER): Remedy.SELL_ALL,
        (Mode.EXITING, short, SpotLeg.EQUAL): Remedy.SELL_ALL,
        (Mode.EXITING, short, SpotLeg.OVER): Remedy.SELL_ALL,
        (Mode.ROLLING_BACK, flat, SpotLeg.FLAT): Remedy.CLOSE,
        (Mode.ROLLING_BACK, short, SpotLeg.FLAT): Remedy.AWAIT_PERP,
        (Mode.ROLLING_BACK, short, SpotLeg.UNDER): Remedy.AWAIT_PERP,
        (Mode.ROLLING_BACK, short, SpotLeg.EQUAL): Remedy.AWAIT_PERP,
    }
    for mode in Mode:
        table.setdefault((mode, short, SpotLeg.OVER), Remedy.SELL)
        for spot in SpotLeg:
            table.setdefault((mode, flat, spot), Remedy.SELL)  # the perp has gone: spot follows at once
            table[mode, PerpLeg.LONG, spot] = Remedy.HALT
    return table


REMEDIES: Final = _rows()

"""Every step of the state table, every step that it does not know, and the joint table is complete."""

import itertools

import pytest

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.position import evolve, replay
from hedge_leg.core.states import (
    REMEDIES,
    TRANSITIONS,
    Mode,
    PerpLeg,
    Remedy,
    SpotLeg,
    State,
    next_state,
)
from hedge_leg.errors import IllegalTransition
from tests.hedge_leg.core.facts import ANNOUNCED, EXIT, HEDGED, ROLLBACK, intended, sold

TURNING: dict[type[ev.Event], ev.Event] = {
    type(event): event
    for event in (
        ANNOUNCED,
        HEDGED,
        EXIT,
        ROLLBACK,
        ev.ExitAbandoned(1, "test"),
        ev.Closed(1, "test", ANNOUNCED.inherited_qty, ANNOUNCED.inherited_cost, 0),
        ev.Halted(1, "test"),
        ev.Released(1, "test"),
    )
}
REACH: dict[State, tuple[ev.Event, ...]] = {
    State.IDLE: (),
    State.OPENING: (ANNOUNCED,),
    State.ACTIVE: (ANNOUNCED, HEDGED),
    State.CLOSING: (ANNOUNCED, HEDGED, EXIT),
    State.HALTED: (ANNOUNCED, TURNING[ev.Halted]),
}
KNOWN = [(state, kind, after) for state, row in TRANSITIONS.items() for kind, after in row.items()]
FORBIDDEN = [
    (state, kind) for state, kind in itertools.product(State, TURNING) if kind not in TRANSITIONS[state]
]


def test_every_event_that_turns_a_state_is_tried() -> None:
    assert {kind for row in TRANSITIONS.values() for kind in row} == set(TURNING)


@pytest.mark.parametrize(("state", "kind", "after"), KNOWN)
def test_a_known_step_leads_where_the_table_says(state: State, kind: type[ev.Event], after: State) -> None:
    carry = evolve(replay("X", REACH[state]), TURNING[kind])
    assert carry.state is after
    assert carry.version == len(REACH[state]) + 1


@pytest.mark.parametrize(("state", "kind"), FORBIDDEN)
def test_an_unknown_step_is_refused_and_changes_nothing(state: State, kind: type[ev.Event]) -> None:
    carry, same = replay("X", REACH[state]), replay("X", REACH[state])
    with pytest.raises(IllegalTransition, match=f"{kind.__name__} is not possible while {state}"):
        evolve(carry, TURNING[kind])
    assert carry == same


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("fact", [sold("1"), intended(), ev.Alarmed(1, "k", "t")])
def test_a_fact_never_changes_the_state(state: State, fact: ev.Event) -> None:
    assert next_state(state, fact) is state


def test_a_step_leaves_the_carry_before_it_as_it_was() -> None:
    before = replay("X", REACH[State.OPENING])
    evolve(evolve(before, sold("1")), intended())
    assert before == replay("X", REACH[State.OPENING])


def test_the_joint_table_has_a_remedy_for_every_mode_and_both_legs() -> None:
    assert set(REMEDIES) == set(itertools.product(Mode, PerpLeg, SpotLeg))


def test_a_long_perp_halts_whatever_the_spot_leg_is() -> None:
    long = {REMEDIES[mode, PerpLeg.LONG, spot] for mode, spot in itertools.product(Mode, SpotLeg)}
    assert long == {Remedy.HALT}


def test_spot_without_a_perp_is_sold_in_every_mode() -> None:
    for mode, spot in itertools.product(Mode, set(SpotLeg) - {SpotLeg.FLAT}):
        assert REMEDIES[mode, PerpLeg.FLAT, spot] is Remedy.SELL


def test_no_remedy_buys_while_the_pair_is_left() -> None:
    leaving = (Mode.EXITING, Mode.ROLLING_BACK)
    bought = [key for key, remedy in REMEDIES.items() if remedy is Remedy.BUY and key[0] in leaving]
    assert bought == []


@pytest.mark.parametrize(
    ("state", "mode"),
    [
        (State.IDLE, None),
        (State.OPENING, Mode.OPENING),
        (State.ACTIVE, Mode.ACTIVE),
        (State.CLOSING, Mode.EXITING),
        (State.HALTED, None),
    ],
)
def test_the_mode_follows_the_state(state: State, mode: Mode | None) -> None:
    assert replay("X", REACH[state]).mode is mode


def test_a_rollback_is_the_closing_in_which_the_perp_leaves_first() -> None:
    assert replay("X", (ANNOUNCED, ROLLBACK)).mode is Mode.ROLLING_BACK


def test_a_carry_that_was_never_announced_is_not_alive() -> None:
    assert not Carry("X").alive

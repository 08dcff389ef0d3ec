"""Breakers: tripped once, ended on evidence after the cool-down, the same after a restart."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core.guard.breakers import (
    DAILY,
    Action,
    Breakers,
    GuardRow,
    Judgement,
    Limit,
    RowKind,
    breaker_name,
    limit_of,
    scope_of,
)

PAIR, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"
COOL_MS = 1_000
BAD = Judgement(Limit.BASIS, PAIR, True, Action.BLOCK, "apart")
GOOD, UNKNOWN = replace(BAD, breached=False), replace(BAD, breached=None)


def told(breakers: Breakers, judged: Judgement, now_ms: int) -> GuardRow | None:
    """Judge and take the row over, as a written one is."""
    row = breakers.step(judged, now_ms)
    if row is not None:
        breakers.apply(row)
    return row


def test_a_broken_limit_makes_one_row_however_long_it_stays_broken() -> None:
    breakers = Breakers(COOL_MS)
    rows = [told(breakers, BAD, now_ms) for now_ms in range(0, 10_000, 500)]
    assert [row.kind for row in rows if row] == [RowKind.TRIPPED]
    assert breakers.open_in([PAIR])


def test_a_breaker_ends_only_when_its_limit_held_for_the_cool_down() -> None:
    breakers = Breakers(COOL_MS)
    told(breakers, BAD, 0)
    told(breakers, BAD, 800)
    assert told(breakers, GOOD, 1_799) is None
    ended = told(breakers, GOOD, 1_800)
    assert ended is not None
    assert ended.kind is RowKind.CLEARED
    assert not breakers.open_in([PAIR], Action.ALARM)


def test_what_is_not_known_neither_trips_nor_ends() -> None:
    breakers = Breakers(COOL_MS)
    assert told(breakers, UNKNOWN, 0) is None
    told(breakers, BAD, 1)
    assert told(breakers, UNKNOWN, 1_000_000) is None
    assert breakers.open_in([PAIR])


def test_a_reset_ends_a_trip_and_the_limit_judges_from_then_on() -> None:
    breakers = Breakers(COOL_MS)
    told(breakers, BAD, 0)
    breakers.apply(GuardRow(500, RowKind.RESET, BAD.name))
    assert not breakers.open_in([PAIR])
    assert breakers.since_ms(BAD.name, 100) == 500
    assert breakers.since_ms(BAD.name, 900) == 900
    again = told(breakers, BAD, 600)
    assert again is not None
    assert again.kind is RowKind.TRIPPED


def test_resetting_the_daily_loss_begins_the_day_anew() -> None:
    breakers = Breakers(COOL_MS)
    breakers.apply(GuardRow(0, RowKind.DAY, "day", amount=Decimal(7)))
    breakers.apply(GuardRow(1, RowKind.RESET, BAD.name))
    assert breakers.day is not None
    breakers.apply(GuardRow(2, RowKind.RESET, DAILY))
    assert breakers.day is None


def test_trips_concern_their_scope_and_the_strongest_comes_first() -> None:
    breakers = Breakers(COOL_MS)
    told(breakers, replace(BAD, action=Action.ALARM), 0)
    assert not breakers.open_in([PAIR]), "an alarm blocks nothing"
    told(breakers, replace(BAD, limit=Limit.PRICE_JUMP), 0)
    told(breakers, replace(BAD, limit=Limit.MARGIN_LEAVE, action=Action.LEAVE), 0)
    told(breakers, replace(BAD, scope=OTHER, action=Action.LEAVE), 0)
    found = [trip.row.breaker for trip in breakers.open_in([PAIR])]
    assert found == [f"margin_leave@{PAIR}", f"price_jump@{PAIR}"]
    assert not breakers.open_in(["SOL/USDT:USDT"])


def test_a_shrink_keeps_its_target_until_its_breaker_ends() -> None:
    breakers = Breakers(COOL_MS)
    told(breakers, replace(BAD, action=Action.SHRINK), 0)
    assert breakers.target([PAIR], "c1") is None
    breakers.apply(GuardRow(1, RowKind.SHRUNK, BAD.name, carry_id="c1", amount=Decimal("0.5")))
    assert breakers.target([PAIR], "c1") == Decimal("0.5")
    assert breakers.target([PAIR], "c2") is None
    assert breakers.target([OTHER], "c1") is None
    told(breakers, GOOD, 2_000)
    assert breakers.target([PAIR], "c1") is None


judgements = st.builds(
    Judgement,
    limit=st.sampled_from(Limit),
    scope=st.sampled_from([PAIR, OTHER, "spot", "all"]),
    breached=st.sampled_from([True, False, None]),
    action=st.sampled_from(Action),
)


@given(st.lists(st.tuples(judgements, st.integers(0, 900)), max_size=60), st.integers(0, 60))
def test_a_restart_remembers_every_trip_and_forgets_none_early(
    steps: list[tuple[Judgement, int]], cut: int
) -> None:
    """A process that reads the rows knows the same trips, and rings for none of them again."""
    rows: list[GuardRow] = []
    first, now_ms = Breakers(COOL_MS), 0
    for judged, later_ms in steps[:cut]:
        now_ms += later_ms
        row = told(first, judged, now_ms)
        rows += [row] if row else []
    second = Breakers(COOL_MS)
    for row in rows:
        second.apply(row)
    assert {name: trip.row for name, trip in second.trips.items()} == {
        name: trip.row for name, trip in first.trips.items()
    }
    for judged, later_ms in steps[cut:]:
        now_ms += later_ms
        row = told(second, judged, now_ms)
        assert row is None or row.kind is not RowKind.TRIPPED or judged.breached
        rows += [row] if row else []
    for name in {row.breaker for row in rows}:
        kinds = [row.kind for row in rows if row.breaker == name]
        assert kinds[::2] == [RowKind.TRIPPED] * len(kinds[::2]), "trip, end, trip, ..: each once"
        assert kinds[1::2] == [RowKind.CLEARED] * len(kinds[1::2])


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(0, 700)), max_size=80))
def test_a_value_that_swings_around_its_limit_trips_at_most_once_a_cool_down(
    swings: list[tuple[bool | None, int]],
) -> None:
    """The hysteresis: between two trips of a breaker lie the cool-down and a look at which it held."""
    breakers, now_ms, tripped_ms, broken_ms = Breakers(COOL_MS), 0, -COOL_MS, -COOL_MS
    for breached, later_ms in swings:
        now_ms += later_ms
        row = told(breakers, replace(BAD, breached=breached), now_ms)
        if row is not None and row.kind is RowKind.TRIPPED:
            assert breached
            assert now_ms - tripped_ms >= COOL_MS
            tripped_ms = now_ms
        if row is not None and row.kind is RowKind.CLEARED:
            assert breached is False
            assert now_ms - broken_ms >= COOL_MS, "it ends only after it has held for the cool-down"
        broken_ms = now_ms if breached else broken_ms
        assert not breached or breakers.open_in([PAIR]), "broken: tripped"


@given(st.sampled_from(Limit), st.sampled_from([PAIR, "spot", "all"]))
def test_a_name_says_limit_and_scope(limit: Limit, scope: str) -> None:
    name = breaker_name(limit, scope)
    assert (limit_of(name), scope_of(name)) == (limit, scope)

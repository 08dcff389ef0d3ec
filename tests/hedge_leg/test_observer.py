"""The observer against scripted venues and a scripted log: failures are recorded or told, never silent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

from hedge_leg.core.judge import measure
from hedge_leg.core.market import Book
from hedge_leg.core.opportunity import HOUR_MS, Choice, Opportunity, Shadow
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import JournalError, VenueUnavailable
from hedge_leg.funding_track import FundingTrack
from hedge_leg.observer import Observer, ObserverHost
from hedge_leg.ports import EntryAsked, FundingNow, MarketRules, SpotVenue
from tests.hedge_leg.core.observed import AT_MS, RULES, TERMS, D, book, sighting
from tests.hedge_leg.fakes import PAIR, SYMBOL, FakeClock
from tests.hedge_leg.fakes import RULES as MARKET

EIGHT_MS = 8 * HOUR_MS
LATER_MS = 60_000
RATE = D("0.0002")


@dataclass
class Market:
    """Both venues: settlements every `hours`, listed `lag_ms` late; reads fail while `down`."""

    clock: FakeClock
    stamps: list[int] = field(default_factory=list)
    lag_ms: int = 0
    rate: Decimal = RATE
    down: str = ""
    empty: bool = False
    histories: int = 0

    def book(self, name: str) -> Book:
        if self.down and self.down in name:
            raise VenueUnavailable(f"book of {name}: time-out")
        if self.empty:
            return Book((), ((D(100), D(1)),), self.clock.now_ms())
        return book(D("100.1") if name == PAIR else D(100), at_ms=self.clock.now_ms())

    def rules(self, symbol: str) -> MarketRules:
        return MARKET

    def funding_now(self, pair: str) -> FundingNow:
        ahead = [stamp for stamp in self.stamps if stamp > self.clock.now_ms()]
        return FundingNow(self.rate, min(ahead, default=None))

    def settlements_since(self, pair: str, since_ms: int) -> Sequence[Settlement]:
        self.histories += 1
        until_ms = self.clock.now_ms() - self.lag_ms
        return [Settlement(at_ms, PAIR, self.rate) for at_ms in self.stamps if since_ms <= at_ms <= until_ms]


@dataclass
class Log:
    """Records in memory; fails while `broken`."""

    rows: list[Any] = field(default_factory=list)
    broken: bool = False

    def append(self, records: Sequence[Any]) -> None:
        if self.broken:
            raise JournalError("disk full")
        self.rows += records

    def newest(self, kind: type, pair: str, count: int = 1) -> list[Any]:
        return self.of(kind)[-count:]

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.rows if type(one) is kind]


def observing(log: Log | None = None, **changes: Any) -> tuple[Observer, Market, FakeClock, Log, list[str]]:
    """Return an observer of one pair, half a minute after a settlement, and all it touches."""
    clock, told, log = FakeClock(AT_MS + 30_000), list[str](), log or Log()
    market = Market(clock, [AT_MS + number * EIGHT_MS for number in range(-6, 20)], **changes)
    host = ObserverHost(
        pairs=lambda: {PAIR: SYMBOL},
        notional=lambda: D(200),
        signal=lambda _pair, _now_ms: True,
        regime=lambda _pair: ("", "no data"),
        notify=told.append,
    )
    spot = cast("SpotVenue", market)
    observer = Observer(clock, spot, market, log, TERMS, RULES, host, 30_000, 300_000)
    return observer, market, clock, log, told


def test_looks_come_at_the_interval_and_snapshots_at_theirs() -> None:
    observer, market, clock, log, _ = observing()
    for _ in range(121):
        observer.tick()
        clock.at_ms += 5_000
    looks = log.of(Opportunity)
    assert [one.at_ms - looks[0].at_ms for one in looks] == [30_000 * number for number in range(21)]
    assert looks[0].choice is Choice.OPEN
    assert all(one.choice is Choice.HOLD for one in looks[1:])
    assert [one.at_ms - looks[0].at_ms for one in log.of(Shadow)] == [0, 300_000, 600_000]
    assert market.histories == 1  # the history is read when a settlement is due, not at each look
    assert looks[0].figures.qty == D("1.998")  # whole lots of 200 / 100.1


def test_a_read_that_fails_is_recorded_with_its_reason_and_the_next_look_goes_on() -> None:
    observer, market, clock, log, told = observing()
    for down in ("", "BTC", ""):
        market.down = down
        observer.tick()
        clock.at_ms += 30_000
    assert [one.choice for one in log.of(Opportunity)] == [Choice.OPEN, Choice.BLIND, Choice.HOLD]
    assert "time-out" in log.of(Opportunity)[1].reason
    assert told == []


def test_a_book_with_an_empty_side_is_recorded_as_blind() -> None:
    observer, market, _, log, _ = observing()
    market.empty = True
    observer.tick()
    assert [one.choice for one in log.of(Opportunity)] == [Choice.BLIND]
    assert "empty side" in log.of(Opportunity)[0].reason


def test_a_log_that_fails_is_told_once_and_leaves_no_hole_in_the_settlements() -> None:
    observer, _, clock, log, told = observing()
    observer.tick()
    known = len(log.of(Settlement))
    log.broken = True
    clock.at_ms = AT_MS + EIGHT_MS + 30_000
    for _ in range(3):
        observer.tick()
        clock.at_ms += 30_000
    assert [text for text in told if "not recorded" in text] == told[:1] == told
    log.broken = False
    observer.tick()
    assert told[1:] == ["observer: what is seen is recorded again"]
    assert [one.at_ms for one in log.of(Settlement)][known:] == [AT_MS + EIGHT_MS]


def test_a_restarted_observer_goes_on_with_what_it_pretended_to_hold_and_is_paid_for_the_time_between() -> (
    None
):
    first, _, _, log, _ = observing()
    first.tick()
    second, _, clock, _, _ = observing(log)
    clock.at_ms = AT_MS + 2 * EIGHT_MS + 90_000
    second.tick()
    assert [one.choice for one in log.of(Opportunity)] == [Choice.OPEN, Choice.HOLD]
    opened, held = log.of(Shadow)
    assert held.opened_ms == opened.opened_ms == AT_MS + 30_000
    assert held.funding == 2 * D("0.0002") * D("1.998") * D("100.09")
    stamps = [one.at_ms for one in log.of(Settlement)]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] == AT_MS + 2 * EIGHT_MS


def test_a_pretended_pair_is_paid_for_every_hour_of_a_stop_that_is_longer_than_what_is_kept() -> None:
    log = Log()
    first, market, _, _, _ = observing(log)
    market.stamps = [AT_MS + hour * HOUR_MS for hour in range(-6, 240)]
    first.tick()
    second, market, clock, _, _ = observing(log)
    market.stamps = [AT_MS + hour * HOUR_MS for hour in range(-6, 240)]
    clock.at_ms = AT_MS + 230 * HOUR_MS + 90_000
    market.down = "BTC"  # the settlements are read at a look that is blind: their money counts at the next
    second.tick()
    market.down = ""
    clock.at_ms += 30_000
    second.tick()
    assert [one.choice for one in log.of(Opportunity)] == [Choice.OPEN, Choice.BLIND, Choice.HOLD]
    assert second._pairs[PAIR].shadow.funding == 230 * D("0.0002") * D("1.998") * D("100.09")


def test_a_rate_of_a_longer_interval_is_not_counted_as_if_it_came_at_the_shorter_one() -> None:
    clock = FakeClock(AT_MS + LATER_MS)
    market = Market(clock, [AT_MS - EIGHT_MS, AT_MS, AT_MS + 4 * HOUR_MS])
    seen, _ = FundingTrack(market, PAIR).look(clock.at_ms)
    assert (seen.interval_ms, seen.last_interval_ms) == (4 * HOUR_MS, EIGHT_MS)
    look = replace(sighting(clock.at_ms), funding=seen)
    assert measure(look, TERMS, RULES).daily_rate == 3 * RATE  # the settled one, not six of the predicted
    told = replace(seen, predicted_rate=D("0.00005"))
    assert measure(replace(look, funding=told), TERMS, RULES).daily_rate == 6 * D("0.00005")


def test_the_gate_s_answers_are_recorded_when_they_change_else_once_in_an_interval() -> None:
    observer, _, clock, log, _ = observing()
    for reason in ("a", "a", "b", "b", "b"):
        observer.asked(PAIR, would=False, reason=reason, qty=D(1), px=D(100))
        clock.at_ms += 20_000
    assert [(one.reason, one.at_ms - AT_MS) for one in log.of(EntryAsked)] == [
        ("a", 30_000),
        ("b", 70_000),
        ("b", 110_000),
    ]


def test_an_interval_that_changes_is_followed_and_a_late_history_does_not_double_it() -> None:
    clock = FakeClock(AT_MS + LATER_MS)
    hours = [-16, -8, 0, 4, 8, 10, 12]
    market = Market(clock, [AT_MS + hour * HOUR_MS for hour in hours], lag_ms=20_000)
    track = FundingTrack(market, PAIR)
    found = []
    for hour, late_ms in (
        (0, LATER_MS),
        (4, 5_000),
        (4, LATER_MS),
        (8, 5_000),
        (8, LATER_MS),
        (10, LATER_MS),
    ):
        clock.at_ms = AT_MS + hour * HOUR_MS + late_ms
        seen, _ = track.look(clock.at_ms)
        found.append((seen.interval_ms // HOUR_MS, seen.due))
    assert found == [(4, False), (4, True), (4, False), (4, True), (2, False), (2, False)]


def test_an_interval_that_is_shortened_on_the_way_is_followed_before_its_first_settlement() -> None:
    clock = FakeClock(AT_MS + LATER_MS)
    market = Market(clock, [AT_MS + number * EIGHT_MS for number in range(-3, 3)])
    track = FundingTrack(market, PAIR)
    assert track.look(clock.at_ms)[0].interval_ms == EIGHT_MS
    market.stamps = sorted([*market.stamps, AT_MS + 4 * HOUR_MS])
    clock.at_ms += LATER_MS
    assert track.look(clock.at_ms)[0].next_ms == AT_MS + 4 * HOUR_MS
    clock.at_ms = AT_MS + 4 * HOUR_MS + LATER_MS
    seen, fresh = track.look(clock.at_ms)
    assert [one.at_ms for one in fresh] == [seen.last_ms] == [AT_MS + 4 * HOUR_MS]


def test_a_history_that_lags_by_minutes_at_a_start_is_waited_for_and_one_that_never_comes_is_not() -> None:
    clock = FakeClock(AT_MS + 10 * LATER_MS)
    market = Market(clock, [AT_MS + number * EIGHT_MS for number in range(-3, 3)], lag_ms=12 * LATER_MS)
    track = FundingTrack(market, PAIR)
    seen, _ = track.look(clock.at_ms)
    assert (seen.interval_ms, seen.due) == (EIGHT_MS, True)  # no score may count on a span without it
    clock.at_ms += 3 * LATER_MS
    seen, fresh = track.look(clock.at_ms)
    assert (seen.last_ms, seen.due, len(fresh)) == (AT_MS, False, 1)
    market.stamps.remove(AT_MS)  # the venue has doubled its interval
    seen, _ = FundingTrack(market, PAIR).look(AT_MS + 20 * LATER_MS)
    assert (seen.interval_ms, seen.due) == (2 * EIGHT_MS, False)


def test_a_start_in_the_seconds_after_a_settlement_that_is_not_listed_yet_waits_for_it() -> None:
    clock = FakeClock(AT_MS + 5_000)
    market = Market(clock, [AT_MS + number * EIGHT_MS for number in range(-3, 3)], lag_ms=20_000)
    track = FundingTrack(market, PAIR)
    seen, _ = track.look(clock.at_ms)
    assert (seen.interval_ms, seen.due) == (EIGHT_MS, True)
    clock.at_ms += 30_000
    seen, fresh = track.look(clock.at_ms)
    assert (seen.last_ms, seen.due, len(fresh)) == (AT_MS, False, 1)

"""The daily report: its figures are the statement's, each day is told once, and nothing stops the loop."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from threading import RLock, Thread
from typing import Any, cast

import pytest

from hedge_leg.adapters.sql_guard import SqlGuardLog
from hedge_leg.config import HedgeLegConfig, read_config
from hedge_leg.core.carry import Carry
from hedge_leg.core.guard.breakers import Breakers, GuardRow, RowKind
from hedge_leg.core.messages import LONGEST
from hedge_leg.core.opportunity import DAY_MS, Choice, Opportunity
from hedge_leg.core.position import replay
from hedge_leg.daily_report import DailyReport, breakers_text, seen_text
from hedge_leg.engine import Engine
from hedge_leg.errors import ConfigError, JournalError
from hedge_leg.statement import hedged_within
from hedge_leg.statement_periods import Sums, Window, cells
from tests.hedge_leg.core.facts import ANNOUNCED, sold
from tests.hedge_leg.fakes import PAIR, START_MS, FakeClock
from tests.hedge_leg.statements import carries, write_journal

SETTINGS = HedgeLegConfig()
THIRD_DAY_MS = (START_MS // DAY_MS + 2) * DAY_MS  # the day on which X0 closes
AT_MS = THIRD_DAY_MS + DAY_MS + SETTINGS.report.daily_at_ms


@dataclass
class Bot:
    """As much of an engine as a report reads."""

    held: list[Carry]
    clock: FakeClock = field(default_factory=lambda: FakeClock(AT_MS))
    lock: Any = field(default_factory=RLock)

    @property
    def carries(self) -> dict[str, Carry]:
        return {one.carry_id: one for one in self.held}


class BrokenLog:
    """A table that nobody can use."""

    def append(self, *rows: GuardRow) -> None:
        raise JournalError("disk full")

    def since(self, seq: int) -> list[tuple[int, GuardRow]]:
        raise JournalError("disk full")


def report(
    bot: Bot, log: Any, settings: HedgeLegConfig = SETTINGS, **more: Any
) -> tuple[DailyReport, list[str]]:
    sent: list[str] = []
    return DailyReport(cast("Engine", bot), settings, log, sent.append, **more), sent


@pytest.fixture
def log(tmp_path: Path) -> SqlGuardLog:
    return SqlGuardLog(write_journal(tmp_path))


def test_the_figures_are_those_of_the_statement_of_that_day(log: SqlGuardLog) -> None:
    tick, sent = report(Bot(carries()), log)
    tick()
    window = Window(AT_MS, THIRD_DAY_MS, THIRD_DAY_MS + DAY_MS)
    found = [cell.sums for one in carries() for cell in cells(one, hedged_within(one, SETTINGS), window)]
    day = sum(found, Sums())
    (text,) = sent
    assert text.startswith("Report of 2023-11-16 (UTC)\n")
    assert f"net {day.net:+,.2f} USDT = funding {day.funding:+,.2f} + basis {day.basis_pnl:+,.2f}" in text
    assert day.funding > 0
    assert f"unhedged {day.unhedged_usd_s:,.0f} USDT x s" in text
    assert "pairs: 0 opened, 1 closed, 2 open at the day's end" in text
    assert text.endswith("breakers: none tripped")
    assert "missing" not in text
    assert len(text) <= LONGEST


def test_funding_that_is_missing_on_that_day_is_told(log: SqlGuardLog) -> None:
    first, *rest = carries()
    booked = {key: one for key, one in first.funding.items() if one.paid_ms < THIRD_DAY_MS - DAY_MS}
    tick, sent = report(Bot([replace(first, funding=booked), *rest]), log)
    tick()
    (line,) = [one for one in sent[0].splitlines() if "missing" in one]
    assert line.startswith(f"{PAIR}: ")
    assert line.endswith(" h without a settlement: funding is missing")


def test_a_day_is_told_once_over_loops_and_restarts_and_the_next_one_again(log: SqlGuardLog) -> None:
    bot = Bot(carries())
    tick, sent = report(bot, log)
    tick()
    tick()
    again, sent_again = report(bot, log)
    again()
    assert (len(sent), sent_again) == (1, [])
    bot.clock.at_ms += DAY_MS - 60_000  # 00:09 of the next day
    again()
    assert sent_again == []
    bot.clock.at_ms += 60_000
    again()
    assert [text.splitlines()[0] for text in sent_again] == ["Report of 2023-11-17 (UTC)"]


def test_the_rows_that_remember_are_no_breakers(log: SqlGuardLog) -> None:
    tick, _ = report(Bot(carries()), log)
    tick()
    ((_, row),) = log.since(0)
    assert (row.kind, row.text) == (RowKind.REPORTED, "2023-11-16")
    breakers = Breakers(0)
    breakers.apply(row)
    assert breakers == Breakers(0)


def test_trips_of_the_day_are_named_and_those_of_others_are_not(log: SqlGuardLog) -> None:
    for at_ms, name in (
        (THIRD_DAY_MS - 1, "basis@x"),
        (THIRD_DAY_MS, "price_jump@x"),
        (THIRD_DAY_MS + 1, "price_jump@x"),
    ):
        log.append(GuardRow(at_ms, RowKind.TRIPPED, name, "block"))
    tick, sent = report(Bot([]), log)
    tick()
    assert sent[0].splitlines()[1:] == [
        "pairs: 0 opened, 0 closed, 0 open at the day's end",
        "breakers tripped: price_jump@x 2 times",
    ]


def test_a_carry_that_fills_after_midnight_was_not_open_at_the_day_s_end(
    log: SqlGuardLog,
) -> None:
    late = replay(
        "L", [replace(ANNOUNCED, at_ms=THIRD_DAY_MS + DAY_MS - 1), sold("1", at_ms=THIRD_DAY_MS + DAY_MS)]
    )
    tick, sent = report(Bot([*carries(), late]), log)
    tick()
    assert "pairs: 0 opened, 1 closed, 2 open at the day's end" in sent[0]


def test_looks_are_counted_without_stopping_the_engine(log: SqlGuardLog) -> None:
    bot, free = Bot(carries()), list[bool]()

    def looks(_since_ms: int, _until_ms: int) -> list[Opportunity]:
        def tries() -> None:
            free.append(bot.lock.acquire(blocking=False))
            if free[-1]:
                bot.lock.release()

        other = Thread(target=tries)
        other.start()
        other.join()
        return []

    tick, _ = report(bot, log, looks=looks)
    tick()
    assert free == [True]


def test_a_new_bot_tells_nothing_of_a_day_on_which_it_did_not_exist(log: SqlGuardLog) -> None:
    bot = Bot([])
    tick, sent = report(bot, log)
    tick()
    assert sent == []
    assert log.since(0) == []
    log.append(GuardRow(AT_MS, RowKind.REPORTED, "daily_report", text="2023-11-15"))
    bot.clock.at_ms += DAY_MS
    tick()
    assert sent == ["Report of 2023-11-17 (UTC): nothing was held, nothing happened"]


def test_a_table_that_fails_costs_the_breakers_and_not_the_report() -> None:
    tick, sent = report(Bot(carries()), BrokenLog())
    tick()
    tick()
    assert len(sent) == 1
    assert sent[0].endswith("breakers: not known, their table cannot be read")


def test_a_report_that_cannot_be_made_ends_no_loop(
    log: SqlGuardLog, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(since_ms: int, until_ms: int) -> list[Opportunity]:
        raise RuntimeError("a defect")

    tick, sent = report(Bot(carries()), log, looks=fails)
    tick()
    assert sent == []
    assert "the report of 2023-11-16 could not be made" in caplog.messages


def test_what_an_observer_saw_is_counted() -> None:
    looks = [
        Opportunity(START_MS, pair, choice, "")
        for pair, choice in ((PAIR, Choice.OPEN), (PAIR, Choice.WAIT), ("ETH/USDT:USDT", Choice.WAIT))
    ]
    assert seen_text(looks) == f"opportunities: 3 looks, 1 would open ({PAIR} 1)"
    assert seen_text([]) == ""
    assert breakers_text(None).startswith("breakers: not known")


@pytest.mark.parametrize("text", ["24:00", "7:30", "noon", "00:60"])
def test_a_time_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"configuration field hedge_leg\.report\.daily_at is"):
        read_config({"report": {"daily_at": text}})


def test_the_time_may_be_late(log: SqlGuardLog) -> None:
    settings = read_config({"report": {"daily_at": "23:50"}})
    bot = Bot(carries(), FakeClock(THIRD_DAY_MS + DAY_MS + settings.report.daily_at_ms))
    tick, sent = report(bot, log, settings)
    tick()
    assert sent[0].startswith("Report of 2023-11-16")
    assert Decimal(settings.report.daily_at_ms) == 1430 * 60_000

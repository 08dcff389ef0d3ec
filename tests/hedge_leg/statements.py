"""A journal of a few carries over six weeks, for tests of statements, pages and reports."""

from decimal import Decimal
from pathlib import Path

from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.opportunity import DAY_MS
from hedge_leg.core.orders import Side
from hedge_leg.core.position import replay
from tests.hedge_leg.core.facts import ANNOUNCED, HEDGED, answered, bought, fill, intended, sold
from tests.hedge_leg.fakes import START_MS

HOUR_MS = 3_600_000
LIVED_DAYS = (2, 40, 0)  # of the carries X0, X1; X2 is open


def facts(number: int) -> list[ev.Event]:
    """Return the life of the `number`-th carry."""
    days = LIVED_DAYS[number]
    opened = [ANNOUNCED, sold("1", f"p{number}"), *bought("1"), HEDGED]
    paid: list[ev.Event] = [
        ev.FundingPaid(at_ms, f"f{at_ms}", Decimal(f"0.{number + 1}2345678"), at_ms)
        for at_ms in range(START_MS + 8 * HOUR_MS, START_MS + (days or 50) * DAY_MS, 8 * HOUR_MS)
    ]
    if not days:
        return [*opened, *paid]
    end_ms = START_MS + days * DAY_MS
    leave: list[ev.Event] = [
        ev.ExitAsked(end_ms, "signal_off"),
        intended(2, "1", Side.SELL, end_ms),
        answered(2, fill("-1", "t9", at_ms=end_ms), at_ms=end_ms),
        sold("-1", f"c{number}", end_ms + 4_000),
        ev.Closed(end_ms + 5_000, "signal_off", Decimal(0), Decimal(0), 0),
    ]
    return [*opened, *paid, *leave]


def carries() -> list[Carry]:
    """Return the carries."""
    return [replay(f"X{number}", facts(number)) for number in range(len(LIVED_DAYS))]


def write_journal(folder: Path, name: str = "hedge_leg.sqlite") -> str:
    """Write the carries into a new journal; return its URL."""
    url = f"sqlite:///{folder / name}"
    journal = open_journal(url)
    for number in range(len(LIVED_DAYS)):
        journal.append(f"X{number}", 0, facts(number))
    journal.close()
    return url

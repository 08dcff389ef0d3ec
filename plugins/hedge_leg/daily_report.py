"""The day that has ended, in one message through freqtrade's channels: once for each UTC day, over restarts.

A row of the guard's table remembers that a day was told, written before the message leaves: a crash between
the two loses a report, never tells it twice. Its figures are those of `hedge-leg statement --by day`.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from hedge_leg.adapters.sql_journal import SqlJournal
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.config import HedgeLegConfig
from hedge_leg.core.carry import Carry
from hedge_leg.core.funding_gaps import missing_text, unbooked
from hedge_leg.core.guard.breakers import GuardRow, RowKind
from hedge_leg.core.opportunity import DAY_MS, Choice, Opportunity
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError
from hedge_leg.live import LiveLeg
from hedge_leg.observing_leg import ObservingLeg
from hedge_leg.ports import GuardLog
from hedge_leg.statement import alive_within, hedged_within
from hedge_leg.statement_periods import Sums, Window, cells, day_text, first_fill_ms, totals

logger = logging.getLogger(__name__)

NAME = "daily_report"
_MOST_NAMED = 8  # breakers; a message has its limit
_BOOKED_LATE_MS = DAY_MS  # after its end a carry's last facts are still booked

Send = Callable[[str], None]
Looks = Callable[[int, int], Iterable[Opportunity]]  # of an observer in [since, until] ms


@dataclass(slots=True)
class DailyReport:
    """Tells of each day from `report.daily_at` of the next one on. `looks`: None where nobody observes."""

    engine: Engine
    settings: HedgeLegConfig
    log: GuardLog
    send: Send
    looks: Looks | None = None
    _done: int = field(default=-1, init=False)

    def __call__(self) -> None:
        """Send what is due. Never raises: a report must not end freqtrade's loop."""
        now_ms = self.engine.clock.now_ms()
        day = (now_ms - self.settings.report.daily_at_ms) // DAY_MS - 1
        if day <= self._done:
            return
        self._done = day
        try:
            self._tell(day * DAY_MS, now_ms)
        except Exception:
            logger.exception("the report of %s could not be made", day_text(day * DAY_MS))

    def _tell(self, since_ms: int, now_ms: int) -> None:
        name, until_ms = day_text(since_ms), since_ms + DAY_MS
        try:
            known: list[GuardRow] | None = [row for _number, row in self.log.since(0)]
        except HedgeError as error:
            logger.warning("the report of %s: breakers are not known: %s", name, error)
            known = None
        told = [row.text for row in known or () if row.kind is RowKind.REPORTED]
        if name in told:
            return
        seen = seen_text(self.looks(since_ms, until_ms - 1)) if self.looks is not None else ""
        with self.engine.lock:
            carries = [one for one in self.engine.carries.values() if one.announced is not None]
            text = self._text(name, carries, known, seen, Window(now_ms, since_ms, until_ms))
        if not text and not told:
            return  # the bot is new: there was nothing, and nobody has been told anything yet
        try:
            self.log.append(GuardRow(now_ms, RowKind.REPORTED, NAME, text=name))
        except HedgeError as error:
            logger.warning("the report of %s is told again after a restart: %s", name, error)
        self.send(text or f"Report of {name} (UTC): nothing was held, nothing happened")

    def _text(
        self, name: str, carries: list[Carry], known: list[GuardRow] | None, seen: str, window: Window
    ) -> str:
        """Return the report, "" for a day on which nothing was held, seen or tripped."""
        since_ms, until_ms = window.since_ms or 0, window.until_ms or window.now_ms
        alive = [one for one in carries if alive_within(one, since_ms - _BOOKED_LATE_MS, until_ms)]
        found = [cell for one in alive for cell in cells(one, hedged_within(one, self.settings), window)]
        held = sum(map(partial(_open_at, until_ms), alive))
        trips = None
        if known is not None:
            rows = [row for row in known if row.kind is RowKind.TRIPPED and window.holds(row.at_ms)]
            trips = Counter(row.breaker for row in rows)
        if not (found or held or trips or seen):
            return ""
        lines = [f"Report of {name} (UTC)"]
        for quote, sums in totals(found).items():
            lines += money_lines(sums, quote)
        moved = sum((cell.sums for cell in found), Sums())
        lines.append(f"pairs: {moved.opened} opened, {moved.closed} closed, {held} open at the day's end")
        lines += _missing(alive, window)
        return "\n".join([*lines, *([seen] if seen else []), breakers_text(trips)])


def _missing(carries: list[Carry], window: Window) -> list[str]:
    """Return a line for each carry that held the perp on that day over hours without a settlement."""
    since_ms, until_ms = window.since_ms or 0, window.until_ms or window.now_ms
    found = [
        (one.facts.pair, [gap for gap in unbooked(one, until_ms) if gap[1] > since_ms]) for one in carries
    ]
    return [f"{pair}: {missing_text(gaps)}" for pair, gaps in found if gaps]


def _open_at(at_ms: int, carry: Carry) -> bool:
    """Return whether a leg had filled before that instant, and the carry closed at it or later, if it did."""
    began_ms = first_fill_ms(carry)
    return began_ms is not None and began_ms < at_ms and (carry.closed is None or carry.closed.at_ms >= at_ms)


def report_daily(leg: LiveLeg, settings: HedgeLegConfig, log: GuardLog, send: Send) -> None:
    """Let a leg report each day after its loop, where that is not switched off."""
    if not settings.report.daily:
        return
    seen = SqlObservations(cast("SqlJournal", leg.engine.journal)) if isinstance(leg, ObservingLeg) else None
    looks = None if seen is None else partial(_looks, seen)
    leg.after_tick = DailyReport(leg.engine, settings, log, send, looks)


def _looks(seen: SqlObservations, since_ms: int, until_ms: int) -> Iterable[Opportunity]:
    return seen.read(Opportunity, since_ms=since_ms, until_ms=until_ms)


def money_lines(sums: Sums, quote: str) -> list[str]:
    """Return a day's sums in one currency; received is positive, costs are amounts paid."""
    share = sums.rebalancing_share
    of_net = "" if share is None else f" ({share:.1%} of the net before it)"
    return [
        f"net {sums.net:+,.2f} {quote} = funding {sums.funding:+,.2f} + basis {sums.basis_pnl:+,.2f}"
        f" - costs {sums.costs:,.2f}",
        f"costs: perp fees {sums.fees_perp:,.2f}, spot fees {sums.fees_spot:,.2f}, borrow {sums.borrow:,.2f}"
        f", fixed {sums.fixed:,.2f}; rebalancing {sums.rebalancing:,.2f}{of_net}",
        f"unhedged {sums.unhedged_usd_s:,.0f} {quote} x s",
    ]


def seen_text(looks: Iterable[Opportunity]) -> str:
    """Return how many looks an observer had and where it would have opened, "" without a look."""
    number, would = 0, Counter[str]()
    for one in looks:
        number += 1
        would[one.pair] += one.choice is Choice.OPEN
    if not number:
        return ""
    pairs = ", ".join(f"{pair} {count:,}" for pair, count in would.most_common(_MOST_NAMED) if count)
    return f"opportunities: {number:,} looks, {would.total():,} would open{f' ({pairs})' if pairs else ''}"


def breakers_text(trips: Counter[str] | None) -> str:
    """Return which breakers tripped, with how often where it was more than once; None: not known."""
    if trips is None:
        return "breakers: not known, their table cannot be read"
    if not trips:
        return "breakers: none tripped"
    names = [f"{name} {count} times" if count > 1 else name for name, count in trips.most_common(_MOST_NAMED)]
    more = len(trips) - len(names)
    return f"breakers tripped: {', '.join(names)}{f' and {more} more' if more else ''}"

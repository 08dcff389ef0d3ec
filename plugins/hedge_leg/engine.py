"""The only place where effects happen: journal -> act -> journal.

`pump` asks `decide` what a carry needs, makes the events durable, performs the one effect, makes its
outcome durable, and asks again. Nothing is sent whose intent is not committed; nothing is decided while
an order's fate is unknown. If the journal fails, the engine stops acting and starts again from what the
journal holds: an intent that is there without an answer is looked up, never resent.

All public methods take the lock: freqtrade's RPC threads call in beside its loop.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import RLock

from hedge_leg.core import events as ev
from hedge_leg.core.carry import Carry
from hedge_leg.core.decide import decide
from hedge_leg.core.market import Book
from hedge_leg.core.messages import step_text
from hedge_leg.core.plan import Decision, Policy, ReadBook, Sight
from hedge_leg.core.position import apply, evolve
from hedge_leg.core.states import State
from hedge_leg.effects import NEVER_MS, perform
from hedge_leg.errors import HedgeError, JournalError, VenueUnavailable
from hedge_leg.ports import Clock, Journal, PerpVenue, SpotVenue
from hedge_leg.repeats import Repeats

logger = logging.getLogger(__name__)

Decide = Callable[[Carry, Sight, Policy], Decision]
_AGREED_GRACES = 2  # grace times for which a look at the exchange's position counts
_MOST_STEPS = 500  # of one pump; far beyond any plan: a bug must not hold freqtrade's loop


@dataclass(slots=True)
class HostPair:
    """What freqtrade knows of a pair: `open`: it has an open trade; `working`: an open entry order."""

    open: bool = False
    working: bool = False


@dataclass(slots=True)
class Engine:
    """Drives the carries of one journal over one spot and one perp venue."""

    journal: Journal
    spot: SpotVenue
    perp: PerpVenue
    clock: Clock
    policy: Policy
    notify: Callable[[str], None]
    carries: dict[str, Carry] = field(default_factory=dict)
    host: dict[str, HostPair] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)
    broken: str = ""
    perp_closable: bool = True  # whether the perp venue takes our reduce-only orders (not in dry-run)
    shared_pot: bool = False  # margin and spot are paid from one balance (OKX, Bybit)
    recovered: bool = False  # the carries of the last run have been reconciled
    perp_absent: dict[str, int] = field(default_factory=dict)  # version at which no unknown perp order exists
    perp_agreed_ms: dict[str, int] = field(default_factory=dict)  # when the exchange's position last agreed
    tell: Callable[[str], None] | None = None  # of the steps of a carry, which are no alarms
    decide: Decide = decide
    repeats: Repeats = field(default_factory=Repeats)  # refusals that were told
    _not_before: dict[str, int] = field(default_factory=dict)
    _blind: set[str] = field(default_factory=set)  # carries whose book could not be read in this pump

    def load(self) -> None:
        """Read all carries from the journal. Raises JournalError."""
        with self.lock:
            carries: dict[str, Carry] = {}
            for row in self.journal.stream():
                apply(carries.setdefault(row.carry_id, Carry(row.carry_id)), row.event)
            self.carries, self.broken = carries, ""
            for carry in self.alive():  # a halt may have been written and never told
                if carry.state is State.HALTED:
                    self.notify(f"{carry.facts.pair}: carry {carry.carry_id} is HALTED: {carry.why}")

    def alive(self) -> list[Carry]:
        """Return the carries that have not closed, oldest first."""
        return [carry for carry in self.carries.values() if carry.alive]

    def of_pair(self, pair: str) -> Carry | None:
        """Return the living carry of a perp pair."""
        return next((carry for carry in self.alive() if carry.facts.pair == pair), None)

    def perp_of_others(self, carry: Carry) -> set[str]:
        """Return the ids of the perp orders that other carries know: none of them is this carry's."""
        return {key for one in self.carries.values() if one is not carry for key in one.perp}

    def record(self, carry: Carry, *events: ev.Event) -> Carry:
        """Make events durable, then known. Raises IllegalTransition or JournalError with nothing changed.

        After a JournalError the engine is `broken`: it does nothing before `load` has worked again.
        """
        after = carry
        for event in events:
            after = evolve(after, event)
        try:
            self.journal.append(carry.carry_id, carry.version, events)
        except JournalError as error:
            self.broken = str(error)
            self.notify(f"hedge_leg journal failed, nothing is traded until it works again: {error}")
            raise
        self.carries[carry.carry_id] = after
        self.wake(carry.carry_id)
        self._tell(carry, after, events)
        return after

    def _tell(self, before: Carry, after: Carry, events: Iterable[ev.Event]) -> None:
        """Log one line per transition, and ring what must ring."""
        if after.state is not before.state:
            logger.info(
                "carry=%s pair=%s %s->%s event=%s spot_qty=%s perp_qty=%s why=%s",
                *(after.carry_id, after.facts.pair, before.state, after.state),
                *(",".join(type(event).__name__ for event in events), after.spot_qty, -after.short_qty),
                after.why,
            )
        for event in events:
            match event:
                case ev.Halted(reason=reason):
                    self.notify(f"{after.facts.pair}: carry {after.carry_id} HALTED: {reason}")
                case ev.RollbackStarted(reason=reason):
                    self.notify(f"{after.facts.pair}: carry {after.carry_id} is rolled back: {reason}")
                case ev.ExitAbandoned(reason=reason):
                    text = f"{after.facts.pair}: the exit was refused: {reason}"
                    if self.repeats.is_news(after.carry_id, text, event.at_ms):
                        self.notify(text)
                case ev.Alarmed(text=text):
                    self.notify(f"{after.facts.pair}: {text}")
                case _:
                    step = step_text(after, event) if self.tell is not None else ""
                    if self.tell is not None and step:
                        self.tell(step)

    def alarm(self, carry: Carry, key: str, text: str) -> Carry:
        """Ring once per carry and key."""
        return (
            carry if key in carry.alarms else self.record(carry, ev.Alarmed(self.clock.now_ms(), key, text))
        )

    def pump(self, carry_id: str, *, patience_ms: int) -> Carry:
        """Do what the carry needs until it needs nothing or must wait longer than the patience.

        Returns it as it is then; also when the journal failed meanwhile (`broken`).
        """
        deadline_ms = self.clock.now_ms() + patience_ms
        book: Book | None = None
        delay_ms = self.policy.poll_ms
        with self.lock:
            self._blind.discard(carry_id)
            try:
                for _step in range(_MOST_STEPS):
                    book, wait_until_ms = self._step(carry_id, book, delay_ms)
                    if not wait_until_ms:
                        continue
                    delay_ms = min(delay_ms * 2, 30_000)
                    if not self._wait(wait_until_ms, deadline_ms, carry_id):
                        return self.carries[carry_id]
                logger.error("carry=%s did not come to rest in %s steps", carry_id, _MOST_STEPS)
            except JournalError as error:
                logger.error("carry=%s the journal failed: %s", carry_id, error)  # told by `record`
            return self.carries[carry_id]

    def _step(self, carry_id: str, book: Book | None, delay_ms: int) -> tuple[Book | None, int]:
        """Take one decision and carry it out; return the book for the next one and when that is due."""
        carry = self.carries[carry_id]
        sight = self.sight(carry, book)
        if sight is None or self.broken:
            return None, NEVER_MS
        decision = self.decide(carry, sight, self.policy)
        if decision.events:
            self.record(carry, *decision.events)
            return book, 0
        if decision.effect is None:
            return None, NEVER_MS
        if isinstance(decision.effect, ReadBook):
            found = self._read_book(carry.facts.symbol)
            (self._blind.add if found is None else self._blind.discard)(carry_id)
            return found, 0 if found is not None else self.clock.now_ms() + delay_ms
        return None, perform(self, carry, decision.effect, delay_ms)

    def _wait(self, until_ms: int, deadline_ms: int, carry_id: str) -> bool:
        """Sleep until then if that is within the patience; otherwise remember not to ask before."""
        now_ms = self.clock.now_ms()
        if until_ms > deadline_ms:
            self._not_before[carry_id] = 0 if until_ms >= NEVER_MS else until_ms
            return False
        if until_ms > now_ms:
            self.clock.sleep((until_ms - now_ms) / 1000)
        return True

    def wake(self, carry_id: str) -> None:
        """Ask the carry again at the next loop: something has changed since it was told to wait."""
        self._not_before.pop(carry_id, None)

    def due(self, carry_id: str) -> bool:
        """Return whether the carry may be asked again."""
        return self.clock.now_ms() >= self._not_before.get(carry_id, 0)

    def sight(self, carry: Carry, book: Book | None = None) -> Sight | None:
        """Return what is seen of a carry now; None while its market's rules are unknown."""
        host = self.host.get(carry.facts.pair, HostPair())
        try:
            rules = self.spot.rules(carry.facts.symbol)
        except (VenueUnavailable, HedgeError) as error:
            logger.warning("carry=%s market rules unknown: %s", carry.carry_id, error)
            return None
        return Sight(
            now_ms=self.clock.now_ms(),
            rules=rules,
            book=book,
            perp_absent=self.perp_absent.get(carry.carry_id) == carry.version,
            perp_working=host.working,
            host_open=host.open,
            perp_closable=self.perp_closable,
            blind=carry.carry_id in self._blind,
            perp_agreed=self._agreed(carry),
        )

    def _agreed(self, carry: Carry) -> bool:
        seen_ms = self.perp_agreed_ms.get(carry.carry_id, 0)
        return self.clock.now_ms() - seen_ms <= _AGREED_GRACES * self.policy.grace_ms

    def _read_book(self, symbol: str) -> Book | None:
        try:
            book = self.spot.book(symbol)
        except VenueUnavailable as error:
            logger.warning("symbol=%s book unknown: %s", symbol, error)
            return None
        return book if book.bids and book.asks else None

"""What the guard remembers: breakers in memory, their rows in the table, alarms for what is new."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hedge_leg.core.guard.breakers import Action, Breakers, GuardRow, Judgement, Limit, RowKind
from hedge_leg.core.guard.limits import GuardLimits
from hedge_leg.engine import Engine
from hedge_leg.errors import JournalError
from hedge_leg.ports import GuardLog

logger = logging.getLogger(__name__)

_TOLD = {
    Action.ALARM: "look at it",
    Action.BLOCK: "no new entries",
    Action.SHRINK: "no new entries, both legs are to be shrunk",
    Action.LEAVE: "no new entries, both legs are to be left",
}


@dataclass(slots=True)
class Memory:
    """The breakers of an engine over a table. `error`: why the table cannot be used now, "" when it works."""

    log: GuardLog
    limits: GuardLimits
    engine: Engine
    breakers: Breakers = field(init=False)
    error: str = ""
    _seq: int = 0
    _unwritten: list[GuardRow] = field(default_factory=list)
    _unknown_ms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what was tripped. Raises JournalError: a guard that forgets is none."""
        self.breakers = Breakers(self.limits.cool_down_ms)
        for number, row in self.log.since(0):
            self.breakers.apply(row)
            self._seq = number
        for trip in self.breakers.trips.values():
            logger.warning("breaker %s is tripped: %s", trip.row.breaker, trip.row.text)

    def now_ms(self) -> int:
        """Return the present."""
        return self.engine.clock.now_ms()

    def judge(self, scope: str, judged: Sequence[Judgement]) -> None:
        """Take all judgements of one scope over; what stays unknown for too long is stale data."""
        now_ms, limits = self.now_ms(), self.limits
        unknown = [one.text for one in judged if one.breached is None]
        since_ms = self._unknown_ms.setdefault(scope, now_ms)
        if not unknown:
            since_ms = now_ms
            del self._unknown_ms[scope]
        stale = [one.text for one in judged if one.limit is Limit.STALE_DATA and one.breached]
        if 0 < limits.account_stale_ms < now_ms - since_ms:
            stale.append(f"{unknown[0]} for {(now_ms - since_ms) / 1000:.0f} s")
        action = limits.action(Limit.STALE_DATA)
        self.note(Judgement(Limit.STALE_DATA, scope, bool(stale), action, "; ".join(stale)))
        for one in judged:
            if one.limit is not Limit.STALE_DATA:
                self.note(one)

    def note(self, judged: Judgement | None) -> None:
        """Let a judgement trip or clear its breaker; a trip rings once."""
        row = None if judged is None else self.breakers.step(judged, self.now_ms())
        if row is None or judged is None:
            return
        self.write(row)
        if row.kind is RowKind.TRIPPED:
            ends = datetime.fromtimestamp(row.until_ms / 1000, UTC)
            told = f"{_TOLD[judged.action]}; it ends at {ends:%Y-%m-%d %H:%M} UTC at the earliest"
            self.engine.notify(f"guard: {row.breaker} tripped: {row.text} ({told})")
        else:
            logger.info("breaker %s cleared: %s", row.breaker, row.text)

    def write(self, row: GuardRow) -> None:
        """Make a row durable, then known; where that fails it is known at once and written later."""
        self._unwritten.append(row)
        self.catch_up()
        if self._unwritten:
            self.breakers.apply(row)

    def catch_up(self) -> None:
        """Write what could not be written, and take over what the operator has reset."""
        try:
            if self._unwritten:
                self.log.append(*self._unwritten)
                self._unwritten.clear()
            news = self.log.since(self._seq)
        except JournalError as error:
            if not self.error:
                self.engine.notify(f"guard: its table fails, no new entries until it works: {error}")
            self.error = str(error)
            return
        self.error = ""
        for number, row in news:
            self.breakers.apply(row)
            self._seq = number
            if row.kind is RowKind.RESET:
                self.engine.notify(f"guard: {row.breaker} was reset by the operator")

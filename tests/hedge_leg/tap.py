"""Taps between the engine and its outside: every call is counted, and one of them meets a fault.

A process is killed by `Killed`, which no code of ours may catch; a lost answer is the error that the
port's contract names for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from hedge_leg.errors import JournalError, OutcomeUnknown, VenueUnavailable

_Result = TypeVar("_Result")
UNTAPPED = frozenset({"rules", "stream", "close_journal"})  # kept in memory, or read by a starting process


class Killed(BaseException):
    """The process has gone."""


class FreqtradeToldNo(Exception):
    """freqtrade believes that its perp order was not placed."""


class Cut(StrEnum):
    """What happens at a point."""

    NONE = "nothing: the trouble begins here"
    BEFORE = "killed before"
    AFTER = "killed after"
    LOST = "answer lost"


_LOSSES: dict[str, type[Exception]] = {
    "journal.append": JournalError,
    "spot.place": OutcomeUnknown,
    "perp.close": OutcomeUnknown,
    "freqtrade.order": FreqtradeToldNo,
}


@dataclass
class Tap:
    """Counts calls while `armed`; at the calls in `cuts` something happens, then `trouble` begins once."""

    cuts: dict[int, Cut] = field(default_factory=dict)
    trouble: Callable[[], None] = lambda: None
    armed: bool = False
    calls: list[str] = field(default_factory=list)
    fired: int = 0
    look: Callable[[], None] = lambda: None  # told before each call

    def call(self, name: str, act: Callable[[], _Result]) -> _Result:
        """Do it, unless this is a call at which something happens."""
        if not self.armed:
            return act()
        self.look()
        cut = self.cuts.get(len(self.calls))
        self.calls.append(name)
        if cut is None:
            return act()
        self.fired += 1
        if cut is Cut.BEFORE or cut is Cut.NONE:
            self.trouble()
        if cut is Cut.BEFORE:
            raise Killed(name)
        result = act()
        if cut is Cut.NONE:
            return result
        self.trouble()
        if cut is Cut.AFTER:
            raise Killed(name)
        raise _LOSSES.get(name, VenueUnavailable)(f"{name}: the answer was lost")


@dataclass
class Tapped:
    """A port whose every call goes through the tap."""

    tap: Tap
    name: str
    inner: Any

    def __getattr__(self, what: str) -> Any:
        """Return the port's method, tapped."""
        act = getattr(self.inner, what)
        if what in UNTAPPED:
            return act
        return lambda *args: self.tap.call(f"{self.name}.{what}", lambda: act(*args))

"""Time that only moves when somebody waits, and what is due on the way."""

import heapq
from collections.abc import Callable


class SimClock:
    """A `ports.Clock` of Unix milliseconds; scheduled happenings run, in order, as time passes them."""

    def __init__(self, start_ms: int) -> None:
        """Start at `start_ms` with nothing scheduled."""
        self._now_ms = start_ms
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def now_ms(self) -> int:
        """Return the present, Unix ms."""
        return self._now_ms

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.advance(round(seconds * 1000))

    def advance(self, lasting_ms: int) -> None:
        """Let `lasting_ms` pass; everything due by then happens at its own time."""
        until_ms = self._now_ms + max(lasting_ms, 0)
        while self._due and self._due[0][0] <= until_ms:
            at_ms, _number, happening = heapq.heappop(self._due)
            self._now_ms = max(self._now_ms, at_ms)
            happening()
        self._now_ms = until_ms

    def at(self, at_ms: int, happening: Callable[[], None]) -> None:
        """Schedule a happening; one whose time has passed is due as soon as time moves."""
        self._number += 1
        heapq.heappush(self._due, (at_ms, self._number, happening))

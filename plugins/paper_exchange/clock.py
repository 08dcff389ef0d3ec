"""The exchange's clock: what its prices, candles and timestamps call "now".

A `MarketClock` either runs with real time (plus an offset, so that it can start inside recorded data) or
stands still until it is driven. Tests and rehearsals drive it over `/_control/clock`.
"""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """What the read-only parts of the exchange need to know about time."""

    def now_ms(self) -> int:
        """Return the exchange's time in Unix milliseconds, UTC."""
        ...


def real_time_ms() -> int:
    """Return the machine's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class MarketClock:
    """A clock that can be set, moved, stopped and started; satisfies `Clock`."""

    def __init__(
        self,
        now_ms: int | None = None,
        *,
        running: bool = True,
        real_ms: Callable[[], int] = real_time_ms,
    ) -> None:
        """Start at `now_ms` (default: real time); `running` follows `real_ms`, otherwise it stands still."""
        self._real_ms = real_ms
        self._base_ms = real_ms() if now_ms is None else now_ms
        self._since_ms = real_ms()
        self._running = running

    @property
    def running(self) -> bool:
        """Return whether the clock moves by itself."""
        return self._running

    def now_ms(self) -> int:
        """Return the exchange's time in Unix milliseconds, UTC."""
        if not self._running:
            return self._base_ms
        return self._base_ms + self._real_ms() - self._since_ms

    def set_ms(self, now_ms: int) -> None:
        """Jump to `now_ms`; a running clock goes on from there."""
        self._base_ms = now_ms
        self._since_ms = self._real_ms()

    def advance_ms(self, delta_ms: int) -> None:
        """Move by `delta_ms`."""
        self.set_ms(self.now_ms() + delta_ms)

    def run(self, running: bool) -> None:
        """Start (True) or stop (False) the clock at its present time."""
        self.set_ms(self.now_ms())
        self._running = running


class ShownClock:
    """What clients are told of the time, and what their timestamps are held against; off by a skew."""

    def __init__(self, clock: Clock) -> None:
        """Show the true time."""
        self._clock = clock
        self._skew_ms = 0
        self._until_ms: int | None = None

    def skew(self, skew_ms: int, until_ms: int | None) -> None:
        """Be off by `skew_ms` until `until_ms` of the true time (exclusive; None: until told otherwise)."""
        self._skew_ms, self._until_ms = skew_ms, until_ms

    def now_ms(self) -> int:
        """Return the shown time in Unix milliseconds."""
        true_ms = self._clock.now_ms()
        over = self._until_ms is not None and true_ms >= self._until_ms
        return true_ms if over else true_ms + self._skew_ms

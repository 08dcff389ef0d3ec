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

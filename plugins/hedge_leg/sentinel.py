"""Keeps the two legs in order while freqtrade's loop does not run: after `/stop`, or when it hangs.

A daemon thread. When no loop has come for `idle_s` it runs the part of the loop that needs no freqtrade: the
journal, the exchange's position, pending orders, the remedies. It never opens anything: entries come from
freqtrade only. `idle_s` is longer than any order of freqtrade may hang, so that nothing is judged absent
that is still on its way.
"""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Sentinel:
    """Calls `guard` every `every_s` seconds once `seen` has not been called for `idle_s` seconds."""

    def __init__(self, guard: Callable[[], None], *, idle_s: float, every_s: float = 5.0) -> None:
        """Start watching."""
        self._guard = guard
        self._idle_s = idle_s
        self._every_s = every_s
        self._seen_at = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hedge-leg-sentinel", daemon=True)
        self._thread.start()

    def seen(self) -> None:
        """Note that freqtrade's loop has run."""
        self._seen_at = time.monotonic()

    def stop(self) -> None:
        """End the thread; returns when it has ended or after some seconds."""
        self._end.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._end.wait(self._every_s):
            if time.monotonic() - self._seen_at < self._idle_s:
                continue
            try:
                self._guard()
            except Exception:  # a thread that dies silently guards nothing
                logger.exception("the legs could not be guarded while freqtrade's loop does not run")

"""The sentinel guards while no loop comes, keeps quiet while loops come, and survives a failing guard."""

import threading

from hedge_leg.sentinel import Sentinel


class Guard:
    """Counts its calls; fails at the first one if told so."""

    def __init__(self, *, fails: bool = False) -> None:
        """Start with no call."""
        self.calls = 0
        self.twice = threading.Event()
        self._fails = fails

    def __call__(self) -> None:
        """Count."""
        self.calls += 1
        if self.calls >= 2:
            self.twice.set()
        if self._fails and self.calls == 1:
            raise RuntimeError("first")


def test_without_loops_the_guard_is_called_again_and_again() -> None:
    guard = Guard()
    sentinel = Sentinel(guard, idle_s=0.0, every_s=0.001)
    assert guard.twice.wait(10)
    sentinel.stop()


def test_while_loops_come_the_guard_is_not_called() -> None:
    guard = Guard()
    sentinel = Sentinel(guard, idle_s=1000.0, every_s=0.001)
    sentinel.seen()
    assert not guard.twice.wait(0.05)
    sentinel.stop()
    assert guard.calls == 0


def test_a_guard_that_fails_is_called_again() -> None:
    guard = Guard(fails=True)
    sentinel = Sentinel(guard, idle_s=0.0, every_s=0.001)
    assert guard.twice.wait(10)
    sentinel.stop()


def test_after_stop_the_guard_is_not_called_any_more() -> None:
    guard = Guard()
    sentinel = Sentinel(guard, idle_s=0.0, every_s=0.001)
    sentinel.stop()
    calls = guard.calls
    assert not threading.Event().wait(0.02)
    assert guard.calls == calls

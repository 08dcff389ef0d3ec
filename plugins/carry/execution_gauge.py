"""Whether a book is unusually wide or thin now, by its own recent past: a veto on opening.

Books are not recorded, so a backtest never asks; a trading bot observes each pair's books in its loop. Until
enough was observed the gauge is neutral and says so.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

KEPT = 1_440  # observations, one a minute: a day
ENOUGH = 60
Level = Sequence[float]  # price, quantity


@dataclass(frozen=True, slots=True)
class BookState:
    """Spread of the best prices in bps of their mid, and notional within the levels that were read."""

    spread_bps: float
    depth_notional: float


def book_state(bids: Sequence[Level], asks: Sequence[Level]) -> BookState | None:
    """Return the state of a book, None where a side is empty or crossed."""
    if not bids or not asks or not 0.0 < bids[0][0] < asks[0][0]:
        return None
    bid, ask = bids[0][0], asks[0][0]
    depth = min(sum(level[0] * level[1] for level in side) for side in (bids, asks))
    return BookState((ask - bid) / (0.5 * (ask + bid)) * 1e4, depth)


@dataclass(slots=True)
class ExecutionGauge:
    """The recent books of each pair; nothing of it is written down."""

    kept: int = KEPT
    _seen: dict[str, deque[BookState]] = field(default_factory=dict)

    def observe(self, pair: str, state: BookState | None) -> None:
        """Remember a book; None (no book) is not an observation."""
        if state is not None:
            self._seen.setdefault(pair, deque(maxlen=self.kept)).append(state)

    def veto(self, pair: str, spread_percentile: float, depth_percentile: float) -> str | None:
        """Return why the newest book of a pair should not be entered on, None if it may.

        None as well while fewer than `ENOUGH` books are known.
        """
        seen = self._seen.get(pair)
        if seen is None or len(seen) < ENOUGH:
            return None
        now, count = seen[-1], len(seen)
        # shares of what was strictly better, so that a constant book is never vetoed
        tighter = sum(state.spread_bps < now.spread_bps for state in seen) / count
        deeper = sum(state.depth_notional > now.depth_notional for state in seen) / count
        if tighter > spread_percentile:
            return f"spread of {now.spread_bps:.2f} bps is wider than {tighter:.0%} of the last {count} books"
        if deeper > 1.0 - depth_percentile:
            return f"depth of {now.depth_notional:.0f} is thinner than {deeper:.0%} of the last {count} books"
        return None

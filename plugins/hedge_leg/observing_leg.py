"""The spot leg of an observer: it opens nothing, and looks at every loop.

Carries that an earlier run has left are held and closed as always; only entries are refused.
"""

from dataclasses import dataclass

from hedge_leg.core.amounts import exact
from hedge_leg.gate import OBSERVED
from hedge_leg.live import LiveLeg
from hedge_leg.observer import Observer


@dataclass(slots=True)
class ObservingLeg(LiveLeg):
    """A `LiveLeg` whose entry gate records and refuses. `observer` is set before the first loop."""

    observer: Observer | None = None

    def tick(self) -> None:
        """Do the loop, then look."""
        LiveLeg.tick(self)
        if self.observer is not None:
            self.observer.tick()

    def confirm_entry(self, pair: str, amount: float, rate: float, leverage: float, now_ms: int) -> bool:  # noqa: ARG002
        """Record what the gate says, and refuse."""
        verdict = self.entry_verdict(pair, amount, rate, leverage)
        if self.observer is not None:
            would = verdict.reason == OBSERVED
            self.observer.asked(pair, would=would, reason=verdict.reason, qty=exact(amount), px=exact(rate))
        return False

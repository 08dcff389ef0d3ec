"""One pair's funding as time goes by: what has been settled, what is predicted, when the next settlement is.

The venue's history is read when a settlement is due, not at every look. The time of the next settlement is
kept as it was told right after the last one: a venue names the one after it as soon as its time has come,
while its history may lag behind by seconds, and the interval must not look twice as long meanwhile. A venue
that shortens the interval on the way names an earlier one: that is taken over.
"""

from dataclasses import dataclass, field

from hedge_leg.core.opportunity import DAY_MS, HOUR_MS, FundingSeen
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import VenueUnavailable
from hedge_leg.ports import FundingMarket

KEPT = 200  # settlements in memory, beside the newest batch: a long stop may bring more at once
_FIRST_LOOK_MS = 30 * DAY_MS
_LAG_MS = 900_000  # how late a settlement may be listed; later it is taken for none
_USUAL_MS = 8 * HOUR_MS


@dataclass(slots=True)
class FundingTrack:
    """The settlements of one pair. `settled`: ascending; at first what an earlier run has recorded."""

    market: FundingMarket
    pair: str
    settled: list[Settlement] = field(default_factory=list)
    _next_ms: int = 0

    def look(self, now_ms: int) -> tuple[FundingSeen, list[Settlement]]:
        """Return what is known now, and the settlements that are new. VenueUnavailable when unread."""
        now = self.market.funding_now(self.pair)
        fresh: list[Settlement] = []
        if now_ms >= self._next_ms:
            since_ms = self.settled[-1].at_ms + 1 if self.settled else now_ms - _FIRST_LOOK_MS
            listed = self.market.settlements_since(self.pair, since_ms)
            fresh = [one for one in listed if not self.settled or one.at_ms > self.settled[-1].at_ms]
            self.settled = [*self.settled[-KEPT:], *fresh] if fresh else self.settled
            if not self.settled:
                raise VenueUnavailable(f"{self.pair}: the venue lists no settlement of the last 30 days")
            if fresh or not self._next_ms:
                self._next_ms = self._upcoming_ms(now.next_ms, now_ms)
        last = self.settled[-1]
        if now.next_ms is not None and last.at_ms < now.next_ms < self._next_ms:
            self._next_ms = now.next_ms
        due = now_ms >= self._next_ms
        gap_ms = self._last_interval_ms()
        rates = (last.rate, last.at_ms, now.predicted_rate, self._next_ms, self._streak())
        return FundingSeen(*rates, due, last_interval_ms=gap_ms), fresh

    def _last_interval_ms(self) -> int | None:
        return self.settled[-1].at_ms - self.settled[-2].at_ms if len(self.settled) > 1 else None

    def _upcoming_ms(self, told_ms: int | None, now_ms: int) -> int:
        last_ms = self.settled[-1].at_ms
        usual_ms = last_ms + (self._last_interval_ms() or _USUAL_MS)
        if told_ms is None or told_ms <= last_ms or 0 <= now_ms - usual_ms < _LAG_MS:
            return usual_ms
        return told_ms

    def _streak(self) -> int:
        count = 0
        for one in reversed(self.settled):
            if one.rate <= 0:
                break
            count += 1
        return count

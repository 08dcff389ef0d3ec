"""The observer: looks at every pair at an interval and writes down what it would do. It never trades.

One look reads both books and the funding, asks `core.judge` and appends the answer; a look that fails is
appended as blind, with the reason. Its pretended pairs continue from their last snapshot after a restart.
A failing log is told once and does not stop the bot.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedge_leg.core.amounts import lots_down
from hedge_leg.core.judge import judge
from hedge_leg.core.opportunity import (
    Choice,
    FundingSeen,
    ObserverRules,
    Opportunity,
    Shadow,
    Sighting,
    blind,
)
from hedge_leg.core.outcome import PairTerms
from hedge_leg.core.shadow import Settlement, follow
from hedge_leg.errors import HedgeError, JournalError, VenueUnavailable
from hedge_leg.funding_track import KEPT, FundingTrack
from hedge_leg.ports import Clock, EntryAsked, FundingMarket, ObservationLog, Observed, SpotVenue

logger = logging.getLogger(__name__)

_REGIME_RETRY_MS = 600_000


@dataclass(frozen=True, slots=True)
class ObserverHost:
    """What the host tells: pairs with their spot symbols, the notional of one leg, the strategy's signal.

    `regime(pair)` -> (regime, why it is unknown); it is asked once after each settlement.
    """

    pairs: Callable[[], Mapping[str, str]]
    notional: Callable[[], Decimal]
    signal: Callable[[str, int], bool | None]
    regime: Callable[[str], tuple[str, str]]
    notify: Callable[[str], None]


@dataclass(slots=True)
class _Pair:
    """What is kept of one pair between looks."""

    funding: FundingTrack
    shadow: Shadow
    kept_ms: int
    regime: tuple[str, str] = ("", "")
    regime_of_ms: int = -1
    regime_tried_ms: int = 0
    asked: EntryAsked | None = None


@dataclass(slots=True)
class Observer:
    """Looks every `interval_ms`, keeps a snapshot of each pretended pair every `snapshot_ms`."""

    clock: Clock
    spot: SpotVenue
    perp: FundingMarket
    log: ObservationLog
    terms: PairTerms
    rules: ObserverRules
    host: ObserverHost
    interval_ms: int
    snapshot_ms: int
    _next_ms: int = 0
    _pairs: dict[str, _Pair] = field(default_factory=dict)
    _failed: str = ""

    def tick(self) -> None:
        """Look at all pairs if it is time. Never raises HedgeError."""
        if self.clock.now_ms() < self._next_ms:
            return
        self._next_ms = self.clock.now_ms() + self.interval_ms
        for pair, symbol in self.host.pairs().items():
            try:
                self._look(pair, symbol)
            except JournalError as error:
                self._told(str(error))

    def asked(self, pair: str, *, would: bool, reason: str, qty: Decimal, px: Decimal) -> None:
        """Write down what the entry gate answered: when it changes, else once in an interval."""
        now_ms = self.clock.now_ms()
        try:
            kept = self._kept(pair)
            last = kept.asked
            same = last is not None and (last.would, last.reason) == (would, reason)
            if last is not None and same and now_ms - last.at_ms < self.interval_ms:
                return
            kept.asked = EntryAsked(now_ms, pair, would, reason, qty, px)
            self._append([kept.asked])
        except JournalError as error:
            self._told(str(error))

    def _look(self, pair: str, symbol: str) -> None:
        """Look at one pair, decide, and append. JournalError when that cannot be written."""
        kept = self._kept(pair)
        fresh: list[Settlement] = []
        try:
            funding, fresh = kept.funding.look(self.clock.now_ms())
            found = self._judged(pair, symbol, kept, funding)
        except JournalError:
            raise
        except HedgeError as error:
            found = blind(self.clock.now_ms(), pair, str(error))
        shadow = follow(kept.shadow, found, kept.funding.settled, self.terms)
        records: list[Observed] = [*fresh, found]
        turned = found.choice in (Choice.OPEN, Choice.LEAVE)
        if turned or found.at_ms - kept.kept_ms >= self.snapshot_ms:
            shadow = replace(shadow, at_ms=found.at_ms)
            records.append(shadow)
        try:
            self._append(records)
        except JournalError:
            # read again what was not written down: a hole in the history would make every score a guess
            self._pairs.pop(pair, None)
            raise
        kept.shadow = shadow
        if records[-1] is shadow:
            kept.kept_ms = found.at_ms

    def _judged(self, pair: str, symbol: str, kept: _Pair, funding: FundingSeen) -> Opportunity:
        perp, spot = self.perp.book(pair), self.spot.book(symbol)
        for name, found in ((pair, perp), (symbol, spot)):
            if not found.bids or not found.asks:
                raise VenueUnavailable(f"the book of {name} has an empty side")
        rules, now_ms = self.spot.rules(symbol), self.clock.now_ms()
        qty = lots_down(self.host.notional() / perp.mid_px, rules.lot)
        blocked = ""
        if not rules.active:
            blocked = f"the spot market {symbol} is halted"
        elif not rules.tradable(qty, spot.mid_px):
            blocked = f"{qty} {rules.base} is below what the spot market {symbol} takes"
        regime, why = self._regime(pair, kept, funding.last_ms, now_ms)
        seen = Sighting(
            *(now_ms, pair, perp, spot, qty, funding, blocked, regime, why),
            signal=self.host.signal(pair, now_ms),
        )
        return judge(seen, self.terms, self.rules, kept.shadow)

    def _regime(self, pair: str, kept: _Pair, settled_ms: int, now_ms: int) -> tuple[str, str]:
        """Return the regime since the last settlement; one that is unknown is asked again after a while."""
        known = kept.regime_of_ms == settled_ms and kept.regime[0]
        if not known and (
            kept.regime_of_ms != settled_ms or now_ms - kept.regime_tried_ms >= _REGIME_RETRY_MS
        ):
            kept.regime, kept.regime_of_ms = self.host.regime(pair), settled_ms
            kept.regime_tried_ms = now_ms
        return kept.regime

    def _kept(self, pair: str) -> _Pair:
        """Return what is kept of a pair; at first what an earlier run has written down."""
        if pair not in self._pairs:
            settled = self.log.newest(Settlement, pair, KEPT)
            shadows = self.log.newest(Shadow, pair)
            shadow = shadows[-1] if shadows else Shadow(0, pair)
            self._pairs[pair] = _Pair(FundingTrack(self.perp, pair, settled), shadow, shadow.at_ms)
        return self._pairs[pair]

    def _append(self, records: list[Observed]) -> None:
        self.log.append(records)
        if self._failed:
            self.host.notify("observer: what is seen is recorded again")
        self._failed = ""

    def _told(self, text: str) -> None:
        if not self._failed:
            self.host.notify(f"observer: what is seen is not recorded: {text}")
        logger.warning("observer: not recorded: %s", text)
        self._failed = text

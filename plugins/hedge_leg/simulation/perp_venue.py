"""The futures exchange as its clients meet it: `ports.PerpVenue` for the engine, and what freqtrade calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.errors import OutcomeUnknown, VenueRefused, VenueUnavailable
from hedge_leg.ports import FundingPayment, PerpOrder
from hedge_leg.simulation.choices import Choices, Options
from hedge_leg.simulation.perp import PerpDeal, PerpExchange

_LATENCY_MS = 60
_TIME_OUT_MS = 3_000
_STALE_MS = 2_000
_SOON_MS = _TIME_OUT_MS + 1_500
_LONG_AFTER_MS = 120_000  # long after everybody has denied the order
CLOSE_FAULTS: Options = (
    ("answer lost", 4),
    ("request lost", 3),
    ("delayed acceptance", 2),
    ("refused: reduce-only", 3),
    ("refused: busy", 2),
    ("partial fill", 4),
    ("no fill", 2),
    ("not final", 3),
)
HOST_FAULTS: Options = (
    ("answer lost", 5),
    ("request lost", 3),
    ("delayed acceptance", 3),
    ("accepted long after", 2),
    ("refused", 3),
    ("partial, rest later", 5),
    ("partial, expired", 4),
    ("rest later", 3),
    ("empty, expired", 2),
)
READ_FAULTS: Options = (("read failed", 1),)
POSITION_FAULTS: Options = (("read failed", 2), ("stale position", 3))
FIND_FAULTS: Options = (("read failed", 2), ("not found yet", 2))


class HostTemporaryError(Exception):
    """What freqtrade makes of every answer that is missing: it believes that nothing was placed."""


class HostRefused(Exception):
    """What freqtrade makes of a refusal (InsufficientFundsError, InvalidOrderException, ExchangeError)."""


def _ignore(_pair: str, _qty: Decimal, _client_id: str) -> None:
    """See nothing."""


@dataclass(slots=True)
class SimPerp:
    """Both sides of the API. `sending` hears of each of the engine's own orders at the moment it leaves."""

    truth: PerpExchange
    choices: Choices
    sending: Callable[[str, Decimal, str], None] = _ignore
    down_until_ms: int = 0  # nothing is answered, nothing arrives
    _stale_until_ms: int = 0
    _old: dict[str, Decimal] = field(default_factory=dict)

    def short_qty(self, pair: str) -> Decimal:
        """Return the position; now and then that of a moment ago."""
        fault = self._call("perp.position", POSITION_FAULTS)
        now_ms = self.truth.clock.now_ms()
        if fault == "stale position" and now_ms >= self._stale_until_ms:
            self._stale_until_ms = now_ms + _STALE_MS
            self._old = {one: self.truth.short_qty(one) for one in self.truth.markets}
        if now_ms < self._stale_until_ms:
            return self._old.get(pair, ZERO)
        return self.truth.short_qty(pair)

    def orders_since(self, pair: str, since_ms: int) -> Sequence[PerpOrder]:
        """Return the account's orders."""
        self._call("perp.orders", READ_FAULTS)
        return [one.seen() for one in self.truth.deals.get(pair, ()) if one.created_ms >= since_ms]

    def funding_since(self, pair: str, since_ms: int) -> Sequence[FundingPayment]:
        """Return the settlements."""
        self._call("perp.funding", READ_FAULTS)
        return [one for one in self.truth.payments.get(pair, ()) if one.paid_ms >= since_ms]

    def find(self, pair: str, client_id: str) -> PerpOrder | None:
        """Look one of our orders up; a fresh one may not be shown yet."""
        fault = self._call("perp.find", FIND_FAULTS)
        deals = reversed(self.truth.deals.get(pair, []))
        found = next((one for one in deals if one.client_id == client_id), None)
        if found is None or (fault and self.truth.stamp() - found.created_ms < _STALE_MS):
            return None
        return found.seen()

    def close(self, pair: str, qty: Decimal, client_id: str) -> PerpOrder:
        """Buy reduce-only; the answer may be lost, late or partial."""
        self.sending(pair, qty, client_id)
        self.choices.crash("perp.close.before")
        fault = self.choices.fault("perp.close", CLOSE_FAULTS)
        self.truth.clock.advance(_LATENCY_MS)
        if fault == "request lost" or self._down():
            raise self._unknown()
        if fault == "refused: reduce-only":
            raise VenueRefused("ReduceOnly Order is rejected.", "-2022")
        if fault == "refused: busy":
            raise VenueRefused("Server is currently overloaded.", "-1008")
        if fault == "delayed acceptance":
            self._later(lambda: self._take(pair, qty, client_id, "", reduce_only=True))
            raise self._unknown()
        deal = self._take(pair, qty, client_id, fault, reduce_only=True)
        self.choices.crash("perp.close.after")
        if fault == "answer lost":
            raise self._unknown()
        return deal.seen()

    def host_create(self, pair: str, qty: Decimal, *, reduce_only: bool) -> PerpDeal:
        """Create freqtrade's own order of signed `qty`. HostTemporaryError: it believes "not placed"."""
        self.choices.crash("host.create.before")
        fault = self.choices.fault("host.create", HOST_FAULTS)
        self.truth.clock.advance(_LATENCY_MS)
        if fault == "request lost" or self._down():
            raise self._host_error()
        if fault == "refused":
            raise HostRefused("Margin is insufficient.")
        if fault in ("delayed acceptance", "accepted long after"):
            most_ms = _SOON_MS if fault == "delayed acceptance" else _LONG_AFTER_MS
            self._later(lambda: self._take(pair, qty, "", "", reduce_only=reduce_only), most_ms)
            raise self._host_error()
        try:
            deal = self._take(pair, qty, "", fault, reduce_only=reduce_only)
        except VenueRefused as error:
            raise HostRefused(str(error)) from error
        self.choices.crash("host.create.after")
        if fault == "answer lost":
            raise self._host_error()
        return deal

    def _take(self, pair: str, qty: Decimal, client_id: str, fault: str, *, reduce_only: bool) -> PerpDeal:
        """Have the exchange take an order and fill it as the fault says."""
        chance, truth = self.choices.stream("perp.share"), self.truth
        deal = truth.accept(pair, qty, client_id, reduce_only=reduce_only)
        lot = truth.markets[pair].perp_lot
        part = lots_down(abs(deal.qty) * chance.randrange(5, 95) / 100, lot)
        if fault.startswith(("empty", "rest", "no fill")):
            part = ZERO
        if fault in ("partial fill", "partial, expired", "empty, expired", "no fill"):
            truth.fill(deal, part)
            truth.end(deal)
        elif fault in ("not final", "partial, rest later", "rest later"):
            truth.fill(deal, part)
            self._later(lambda: self._finish(deal, chance.random()))
        else:
            truth.fill(deal)
        return deal

    def _finish(self, deal: PerpDeal, drawn: float) -> None:
        """Fill the rest of an open order, or some of it, or let it expire."""
        if drawn < 0.8:
            self.truth.fill(deal)
        elif drawn < 0.9:
            self.truth.fill(deal, self.truth.markets[deal.pair].perp_lot)
        self.truth.end(deal)

    def _later(self, happening: Callable[[], object], most_ms: int = _SOON_MS) -> None:
        late_ms = self.choices.stream("perp.late").randrange(100, most_ms)

        def happen() -> None:
            try:
                happening()
            except VenueRefused:
                return

        self.truth.clock.at(self.truth.clock.now_ms() + late_ms, happen)

    def _unknown(self) -> OutcomeUnknown:
        self.truth.clock.advance(_TIME_OUT_MS)
        return OutcomeUnknown("time-out")

    def _host_error(self) -> HostTemporaryError:
        self.truth.clock.advance(_TIME_OUT_MS)
        return HostTemporaryError("time-out")

    def host_read(self) -> None:
        """Take the time of one of freqtrade's own reads; HostTemporaryError when it fails."""
        self.truth.clock.advance(_LATENCY_MS)
        if self.choices.fault("host.read", READ_FAULTS) or self._down():
            raise HostTemporaryError("time-out")

    def _call(self, channel: str, options: Options) -> str:
        """Let a read take its time, fail, or die; return another fault of it."""
        self.choices.crash("perp.read")
        fault = self.choices.fault(channel, options)
        self.truth.clock.advance(_LATENCY_MS)
        if fault == "read failed" or self._down():
            raise VenueUnavailable("time-out")
        return fault

    def _down(self) -> bool:
        return self.down_until_ms > self.truth.clock.now_ms()

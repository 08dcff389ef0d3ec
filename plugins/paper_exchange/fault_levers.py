"""What faults move inside the exchange: its shown time, halts, rate limits, an order about to be canceled."""

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.audit import AuditLog
from paper_exchange.fault_kinds import ClockSkew, State
from paper_exchange.faults import Asked
from paper_exchange.limits import Limiter
from paper_exchange.perp_market import PerpMarket
from paper_exchange.rows import JsonObject
from paper_exchange.spot_market import SpotMarket
from paper_exchange.thinning import floor_lots


@dataclass(frozen=True, slots=True)
class Levers:
    """The parts of a running exchange that a fault reaches."""

    spot: SpotMarket
    perp: PerpMarket
    limiter: Limiter
    audit: AuditLog

    def now_ms(self) -> int:
        """Return the exchange's true time."""
        return self.spot.view.now_ms()

    def catch_up(self) -> None:
        """Let both markets work through what happened so far."""
        self.spot.catch_up()
        self.perp.catch_up()

    def change(self, fault: State) -> None:
        """Skew the shown time or halt a symbol from now on."""
        self.catch_up()
        until_ms = None if fault.for_ms is None else self.now_ms() + fault.for_ms
        view = self.spot.view
        if isinstance(fault, ClockSkew):
            view.shown.skew(fault.skew_ms, until_ms)
        else:
            view.halts.halt(fault.venue, fault.symbol, until_ms)

    def clear(self) -> None:
        """End every skew, halt and rate limit."""
        self.catch_up()
        self.spot.view.shown.skew(0, None)
        self.spot.view.halts.clear(self.now_ms())
        self.limiter.clear()

    def state(self) -> JsonObject:
        """Return what is in force of that."""
        view = self.spot.view
        halted = [{"venue": venue, "symbol": name} for venue, name in view.halts.names(self.now_ms())]
        return {"skew_ms": view.shown.now_ms() - self.now_ms(), "halted": halted}

    def fill_before_cancel(self, asked: Asked, share: Decimal) -> None:
        """Fill the resting order that a cancelation is about: `share` of its rest, at its limit, as maker."""
        market = self.perp if asked.path.startswith("/fapi") else self.spot
        self.catch_up()
        given_id = asked.params.get("orderId", "")
        order_id = int(given_id) if given_id.isascii() and given_id.isdigit() else None
        order = market.log.find(asked.symbol or "", order_id, asked.client_id)
        if order is None or not order.open:
            return
        whole = share == 1
        qty = order.remaining_qty
        qty = qty if whole else floor_lots(qty * share, order.ticket.item.filters.lot)
        if qty:
            market.touch(order, qty)

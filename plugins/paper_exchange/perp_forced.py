"""Orders the exchange itself sends for an account: liquidations and auto-deleveraging (ADL).

A liquidated pool's open orders expire, then all of its positions are closed at their marks, rounded to the
tick against the account. What is left pays the commission and then the clearance fee; where less than nothing
is left the insurance fund pays (income INSURANCE_CLEAR, received). So a pool never loses more than its money.
Binance first reduces a large cross position bracket by bracket; here everything goes at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from paper_exchange.audit import AuditLog
from paper_exchange.book import Level
from paper_exchange.instruments import Instrument
from paper_exchange.liquidation import Breach, Pool
from paper_exchange.order_log import OrderLog
from paper_exchange.orders import Fill, Order, OrderType, Side, Status, Ticket, TimeInForce
from paper_exchange.perp_position import MONEY_STEP, Position
from paper_exchange.perp_wallet import IncomeKind, MarginType, PerpWallet

LIQUIDATION_ID = "autoclose-"
ADL_ID = "adl_autoclose"
_ZERO = Decimal(0)
# Books an execution at a moment; the fee is at most the last argument (quote units; None: as usual).
Settle = Callable[[Order, Level, int, Decimal | None], Fill]


@dataclass(frozen=True, slots=True)
class ForcedOrders:
    """Closes positions against the account's will; `sent` holds the orders, oldest first."""

    wallet: PerpWallet
    log: OrderLog
    audit: AuditLog
    settle: Settle
    sent: list[Order] = field(default_factory=list)

    def liquidate(self, breach: Breach) -> None:
        """Close every position of a pool; nothing of it is left."""
        pool, at_ms = breach.pool, breach.at_ms
        self._expire(lambda item: self._answers(pool, item), at_ms)
        closings = [
            (p, _against(p, mark_px), mark_px)
            for p, mark_px in zip(pool.positions, breach.marks, strict=True)
        ]
        left = pool.cash + sum((p.unrealized_pnl(px) for p, px, _ in closings), _ZERO)
        for position, px, mark_px in closings:
            item, qty = position.item, abs(position.qty)
            order = self._send(position, qty, px, f"{LIQUIDATION_ID}{at_ms}", at_ms)
            fill = self.settle(order, Level(px, qty), at_ms, max(left, _ZERO))
            left -= fill.fee
            due = (fill.notional * item.filters.liquidation_fee_rate).quantize(MONEY_STEP, ROUND_DOWN)
            cleared = min(due, max(left, _ZERO))
            left -= cleared
            if position is pool.positions[-1] and left < 0:
                cleared, left = left, _ZERO
            self.wallet.book(item, IncomeKind.INSURANCE_CLEAR, -cleared, at_ms, fill.trade_id)
            self.audit.forced("liquidated", order, mark_px, -cleared, at_ms)

    def deleverage(self, position: Position, qty: Decimal, mark_px: Decimal, at_ms: int) -> Order:
        """Close `qty` (> 0, base units) of a position at the mark, to the nearest tick; its orders expire."""
        self._expire(lambda item: item == position.item, at_ms)
        tick = position.item.filters.tick
        px = (mark_px / tick).to_integral_value() * tick
        order = self._send(position, qty, px, ADL_ID, at_ms)
        self.settle(order, Level(px, qty), at_ms, None)
        self.audit.forced("deleveraged", order, mark_px, _ZERO, at_ms)
        return order

    def _send(self, position: Position, qty: Decimal, px: Decimal, client_id: str, at_ms: int) -> Order:
        side = Side.SELL if position.qty > 0 else Side.BUY
        item, kind, tif = position.item, OrderType.LIMIT, TimeInForce.IOC
        order = Order(
            next(self.log.order_ids),
            Ticket(item, side, kind, tif, qty, None, px, client_id),
            client_id,
            qty,
            at_ms,
            at_ms,
        )
        self.log.add(order)
        self.sent.append(order)
        return order

    def _expire(self, meant: Callable[[Instrument], bool], at_ms: int) -> None:
        for order in self.log.open():
            if meant(order.ticket.item):
                self.log.end(order, Status.EXPIRED, at_ms)

    def _answers(self, pool: Pool, item: Instrument) -> bool:
        """Return whether orders of a symbol would draw on the pool."""
        if pool.isolated:
            return item == pool.positions[0].item
        crossed = self.wallet.setting(item.name).margin_type is MarginType.CROSSED
        return crossed and item.quote == pool.asset


def share_qty(position: Position, share: Decimal, lot: Decimal) -> Decimal:
    """Return a share (0..1) of a position in base units, rounded down to whole lots."""
    whole = abs(position.qty)
    return whole if share == 1 else (whole * share / lot).to_integral_value(ROUND_DOWN) * lot


def _against(position: Position, mark_px: Decimal) -> Decimal:
    """Round a mark to the tick, down for a long and up for a short."""
    tick = position.item.filters.tick
    rounding = ROUND_FLOOR if position.qty > 0 else ROUND_CEILING
    return max((mark_px / tick).to_integral_value(rounding), Decimal(1)) * tick

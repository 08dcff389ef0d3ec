"""The spot market: takes orders, matches them, settles every fill in the wallet.

A buy locks quote units and receives base units less the fee; a sell locks base units and receives quote units
less the fee. What an order locked is either paid by its fills or unlocked when it ends.
"""

from decimal import ROUND_DOWN, Decimal

from paper_exchange.audit import AuditLog
from paper_exchange.book import Level
from paper_exchange.errors import RefusedRequestError
from paper_exchange.fees import BNB, FEE_STEP, Fees
from paper_exchange.instruments import Instrument
from paper_exchange.matching import KIND_OF, Liquidity, immediate, quote_gap_px, reached, would_take
from paper_exchange.order_log import OrderLog
from paper_exchange.orders import Fill, Order, OrderType, Side, Status, Ticket, TimeInForce
from paper_exchange.spot_filters import check_filters
from paper_exchange.spot_wallet import SpotWallet
from paper_exchange.view import MarketView

_ZERO = Decimal(0)


class SpotMarket:
    """Orders and fills of the account on spot."""

    def __init__(
        self, view: MarketView, wallet: SpotWallet, audit: AuditLog | None = None, fees: Fees | None = None
    ) -> None:
        """Trade `wallet`'s money at the prices of `view`; tell `audit` of everything."""
        self.fees = fees or Fees()
        self._audit = audit or AuditLog()
        self.view = view
        self.log = OrderLog(self._audit)
        self.wallet = wallet
        self._liquidity = Liquidity(view)
        self._caught_up_ms = view.now_ms()

    def catch_up(self) -> None:
        """Fill the resting orders that the price has reached since the last call, in the order of time."""
        now_ms = self.view.now_ms()
        after_ms = self._caught_up_ms + 1
        for moment_ms, order in reached(self.view, self.log.open(), after_ms, now_ms):
            assert order.ticket.limit_px is not None, "only limit orders rest"
            execution = Level(order.ticket.limit_px, order.remaining_qty)
            self._settle(order, execution, maker=True, at_ms=moment_ms)
        self._caught_up_ms = max(now_ms, self._caught_up_ms)

    def place(self, ticket: Ticket) -> Order:
        """Take an order and execute what can be executed now.

        RefusedRequestError and no change: -2010 duplicate client id among the open orders, insufficient
        balance or a post-only order that would take; -1013 a filter or no market.
        """
        try:
            return self._place(ticket)
        except RefusedRequestError as refusal:
            self._audit.refused(ticket, refusal, self.view.now_ms())
            raise

    def _place(self, ticket: Ticket) -> Order:
        now_ms = self.view.now_ms()
        last_px = self._last_px(ticket.item, now_ms)
        resting = self.log.open(ticket.item.name)
        if ticket.client_id and any(order.client_id == ticket.client_id for order in resting):
            raise RefusedRequestError(-2010, "Duplicate order sent.")
        check_filters(ticket, last_px, len(resting))
        levels = self._liquidity.levels(ticket.item, ticket.side, now_ms, ticket.qty)
        post_only = ticket.order_type is OrderType.LIMIT_MAKER
        if post_only and would_take(ticket, levels):
            raise RefusedRequestError(-2010, "Order would immediately match and take.")
        found = [] if post_only else immediate(ticket, levels, ticket.qty)
        qty = sum((level.qty for level in found), _ZERO) if ticket.qty is None else ticket.qty
        if not qty:
            raise RefusedRequestError(-1013, "Filter failure: LOT_SIZE")
        self.wallet.lock(*_needed(ticket, qty, found))
        order_id = next(self.log.order_ids)
        order = Order(order_id, ticket, ticket.client_id or f"paper-{order_id}", qty, now_ms, now_ms)
        self.log.add(order)
        for level in found:
            self._liquidity.take(ticket.item, level)
            self._settle(order, level, maker=False, at_ms=now_ms)
        if order.open and (ticket.order_type is OrderType.MARKET or ticket.tif is not TimeInForce.GTC):
            self._end(order, Status.EXPIRED)
        elif order.open:
            order.quote_gap_px = quote_gap_px(self.view, ticket, last_px, now_ms)
        return order

    def cancel(self, name: str, order_id: int | None, client_id: str | None, cancel_id: str) -> Order:
        """Cancel an open order; -2011 when there is none such."""
        order = self.log.find(name, order_id, client_id)
        if order is None or not order.open:
            raise RefusedRequestError(-2011, "Unknown order sent.")
        order.cancel_id = cancel_id
        self._end(order, Status.CANCELED)
        return order

    def touch(self, order: Order, qty: Decimal) -> None:
        """Fill `qty` of a resting order at its limit, as when the price has just reached it."""
        assert order.ticket.limit_px is not None, "only limit orders rest"
        self._settle(order, Level(order.ticket.limit_px, qty), maker=True, at_ms=self.view.now_ms())

    def _last_px(self, item: Instrument, now_ms: int) -> Decimal:
        px = self.view.last_px(KIND_OF[item.venue], item.name, now_ms)
        if px is None or self.view.halts.active(item.venue, item.name, now_ms):
            raise RefusedRequestError(-1013, "Market is closed.")
        return Decimal(repr(px))

    def _settle(self, order: Order, execution: Level, *, maker: bool, at_ms: int) -> None:
        """Book one execution: pay from what is locked, receive less the fee (or pay that in BNB)."""
        item, side = order.ticket.item, order.ticket.side
        notional = execution.px * execution.qty
        if side is Side.BUY:
            locked = (order.ticket.limit_px or execution.px) * execution.qty
            self.wallet.unlock(item.quote, locked - notional)
            self.wallet.pay_locked(item.quote, notional)
            received, asset = execution.qty, item.base
        else:
            self.wallet.pay_locked(item.base, execution.qty)
            received, asset = notional, item.quote
        fee, fee_asset = (received * self.fees.spot.of(maker=maker)).quantize(FEE_STEP, ROUND_DOWN), asset
        self.wallet.receive(asset, received)
        in_bnb = self.fees.spot_bnb(self.view, notional, at_ms, maker=maker)
        if in_bnb is not None and in_bnb <= self.wallet.balance(BNB).free:
            fee, fee_asset = in_bnb, BNB
        self.wallet.receive(fee_asset, -fee)
        trade_id = next(self.log.trade_ids)
        px, qty = execution.px, execution.qty
        fill = Fill(trade_id, order.order_id, item, side, px, qty, fee, fee_asset, maker, at_ms)
        self.log.fill(order, fill)

    def _end(self, order: Order, status: Status) -> None:
        """Close an open order and unlock what it still holds."""
        item, left_qty = order.ticket.item, order.remaining_qty
        if order.ticket.side is Side.SELL:
            self.wallet.unlock(item.base, left_qty)
        elif order.ticket.limit_px is not None:
            self.wallet.unlock(item.quote, left_qty * order.ticket.limit_px)
        self.log.end(order, status, self.view.now_ms())


def _needed(ticket: Ticket, qty: Decimal, found: list[Level]) -> tuple[str, Decimal]:
    """Return the asset and amount an order must have free: at its limit, or what a market order costs."""
    if ticket.side is Side.SELL:
        return ticket.item.base, qty
    if ticket.limit_px is not None:
        return ticket.item.quote, qty * ticket.limit_px
    return ticket.item.quote, sum((level.px * level.qty for level in found), _ZERO)

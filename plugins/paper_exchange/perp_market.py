"""The USD-M market: takes orders, matches them, keeps positions, settles funding as the clock passes it.

Everything that happened since the last request is worked through in the order of time before a request is
answered: funding settlements, resting orders that the price reached, liquidations; in this order at the same
millisecond. Funding received is -rate * mark * signed quantity, with the mark of the settlement's own moment.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import numpy as np

from paper_exchange.audit import AuditLog
from paper_exchange.book import Level
from paper_exchange.brackets import most_notional
from paper_exchange.errors import RefusedRequestError
from paper_exchange.fees import BNB, Fees
from paper_exchange.instruments import Instrument
from paper_exchange.liquidation import first_breach, liquidation_px
from paper_exchange.matching import KIND_OF, Liquidity, immediate, quote_gap_px, reached, would_take
from paper_exchange.order_log import OrderLog
from paper_exchange.orders import Fill, Order, OrderType, Side, Status, Ticket, TimeInForce
from paper_exchange.perp_filters import check_counterparty, check_perp_filters
from paper_exchange.perp_forced import ForcedOrders, share_qty
from paper_exchange.perp_margin import Margin, asset_margin
from paper_exchange.perp_position import MONEY_STEP, Position
from paper_exchange.perp_wallet import IncomeKind, MarginType, PerpWallet
from paper_exchange.view import MarketView

_ZERO = Decimal(0)
_RESTING = {TimeInForce.GTC, TimeInForce.GTX}


class PerpMarket:
    """Orders, fills and funding of the account on USD-M."""

    def __init__(
        self, view: MarketView, wallet: PerpWallet, audit: AuditLog | None = None, fees: Fees | None = None
    ) -> None:
        """Trade `wallet`'s money at the prices of `view`; tell `audit` of everything."""
        self._audit = audit or AuditLog()
        self.view = view
        self.wallet = wallet
        self.fees = fees or Fees()
        self.log = OrderLog(self._audit)
        self.forced = ForcedOrders(wallet, self.log, self._audit, self._settle_forced)
        self._liquidity = Liquidity(view)
        self._caught_up_ms = view.now_ms()

    def catch_up(self) -> None:
        """Work through what happened since the last call, in the order of time."""
        now_ms, after_ms = self.view.now_ms(), self._caught_up_ms + 1
        touched = reached(self.view, self.log.open(), after_ms, now_ms)
        stamps = self._settlements(after_ms, now_ms)
        for moment_ms, order in [*touched, (now_ms, None)]:
            while stamps and stamps[0][0] <= moment_ms:
                after_ms = self._liquidate(after_ms, stamps[0][0] - 1)
                self._fund(*stamps.pop(0))
            if order is not None and order.open:
                after_ms = self._liquidate(after_ms, moment_ms - 1)
                if order.open:
                    self._fill_resting(order, moment_ms)
        self._liquidate(after_ms, now_ms)
        self._caught_up_ms = max(now_ms, self._caught_up_ms)

    def _liquidate(self, after_ms: int, until_ms: int) -> int:
        """Liquidate what is due in [after_ms, until_ms], in the order of time; return what comes after it."""
        while after_ms <= until_ms and self.wallet.open_positions():
            breach = first_breach(self.view, self.wallet, after_ms, until_ms)
            if breach is None:
                break
            self.forced.liquidate(breach)
            after_ms = breach.at_ms
        return max(after_ms, until_ms + 1)

    def deleverage(self, item: Instrument, share: Decimal) -> Order:
        """Close a share (0..1) of a position as ADL does; -2022 when that is less than a lot."""
        position = self.wallet.position(item)
        qty = share_qty(position, share, item.filters.lot)
        if not qty:
            raise RefusedRequestError(-2022, "ReduceOnly Order is rejected.")
        return self.forced.deleverage(position, qty, self.mark(item), self.view.now_ms())

    def liquidation_px(self, position: Position) -> Decimal | None:
        """Return the mark at which a position is liquidated, all else as it is; None for none."""
        return liquidation_px(self.wallet, position, self.mark) if position.qty else None

    def mark(self, item: Instrument) -> Decimal:
        """Return the present mark price; zero before the first candle."""
        return self._mark_at(item, self.view.now_ms())

    def margin(self, asset: str) -> Margin:
        """Return the state of a settlement asset."""
        return asset_margin(self.wallet, asset, self.mark, self.log.open())

    def place(self, ticket: Ticket) -> Order:
        """Take an order and execute what can be executed now; RefusedRequestError and no change otherwise."""
        try:
            return self._place(ticket)
        except RefusedRequestError as refusal:
            self._audit.refused(ticket, refusal, self.view.now_ms())
            raise

    def _place(self, ticket: Ticket) -> Order:
        now_ms, item = self.view.now_ms(), ticket.item
        if self.wallet.hedge_mode:
            raise RefusedRequestError(-4061, "Order's position side does not match user's setting.")
        px = self.view.last_px(KIND_OF[item.venue], item.name, now_ms)
        if px is None or ticket.qty is None or self.view.halts.active(item.venue, item.name, now_ms):
            raise RefusedRequestError(-1013, "Market is closed.")
        last_px = Decimal(repr(px))
        resting = self.log.open(item.name)
        if ticket.client_id and any(order.client_id == ticket.client_id for order in resting):
            raise RefusedRequestError(-4116, "ClientOrderId is duplicated.")
        check_perp_filters(ticket, self.mark(item), len(resting))
        closable = self.wallet.position(item).closable_qty(_signed(ticket.side, ticket.qty))
        if ticket.reduce_only and not closable:
            raise RefusedRequestError(-2022, "ReduceOnly Order is rejected.")
        levels = self._liquidity.levels(item, ticket.side, now_ms, ticket.qty)
        check_counterparty(ticket, levels, self.mark(item))
        if ticket.tif is TimeInForce.GTX and would_take(ticket, levels):
            raise RefusedRequestError(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected.",
            )
        found = immediate(ticket, levels, closable if ticket.reduce_only else ticket.qty)
        if not ticket.reduce_only:
            worst_px = max([level.px for level in found], default=last_px)
            self._check_margin(ticket, ticket.qty - closable, ticket.limit_px or worst_px)
        return self._take(ticket, ticket.qty, found, last_px, now_ms)

    def cancel(self, name: str, order_id: int | None, client_id: str | None) -> Order:
        """Cancel an open order; -2011 when there is none such."""
        order = self.log.find(name, order_id, client_id)
        if order is None or not order.open:
            raise RefusedRequestError(-2011, "Unknown order sent.")
        self.log.end(order, Status.CANCELED, self.view.now_ms())
        return order

    def _take(self, ticket: Ticket, qty: Decimal, found: list[Level], last_px: Decimal, now_ms: int) -> Order:
        """Record an order that passed every check, and its immediate executions."""
        order_id = next(self.log.order_ids)
        order = Order(order_id, ticket, ticket.client_id or f"paper-{order_id}", qty, now_ms, now_ms)
        self.log.add(order)
        for level in found:
            self._liquidity.take(ticket.item, level)
            self._settle(order, level, maker=False, at_ms=now_ms)
        if order.open and (ticket.order_type is OrderType.MARKET or ticket.tif not in _RESTING):
            self.log.end(order, Status.EXPIRED, now_ms)
        elif order.open:
            order.quote_gap_px = quote_gap_px(self.view, ticket, last_px, now_ms)
        return order

    def _check_margin(self, ticket: Ticket, opened_qty: Decimal, px: Decimal) -> None:
        """Refuse what the free margin (-2019) or the leverage's bracket (-2027) does not carry."""
        name, base = ticket.item.name, ticket.item.base
        leverage = self.wallet.setting(name).leverage
        needed = opened_qty * px * (1 / Decimal(leverage) + self.fees.perp.taker)
        if opened_qty and needed > self.margin(ticket.item.quote).available:
            raise RefusedRequestError(-2019, "Margin is insufficient.")
        after_qty = abs(self.wallet.position(ticket.item).qty + _signed(ticket.side, ticket.qty or _ZERO))
        if opened_qty and after_qty * px > most_notional(base, leverage):
            raise RefusedRequestError(-2027, "Exceeded the maximum allowable position at current leverage.")

    def touch(self, order: Order, qty: Decimal) -> None:
        """Fill `qty` of a resting order at its limit, as when the price has just reached it."""
        self._fill_resting(order, self.view.now_ms(), qty)

    def _fill_resting(self, order: Order, at_ms: int, most_qty: Decimal | None = None) -> None:
        """Fill a resting order at its limit: all of it (or `most_qty`), or what is left to reduce."""
        limit_px, qty = order.ticket.limit_px, most_qty or order.remaining_qty
        assert limit_px is not None, "only limit orders rest"
        if order.ticket.reduce_only:
            qty = self.wallet.position(order.ticket.item).closable_qty(_signed(order.ticket.side, qty))
        self._settle(order, Level(limit_px, qty), maker=True, at_ms=at_ms)

    def _settle_forced(self, order: Order, execution: Level, at_ms: int, most_fee: Decimal | None) -> Fill:
        return self._settle(order, execution, maker=False, at_ms=at_ms, most_fee=most_fee)

    def _settle(
        self, order: Order, execution: Level, *, maker: bool, at_ms: int, most_fee: Decimal | None = None
    ) -> Fill:
        """Book one execution: position, realized profit, commission."""
        item, side, px, qty = order.ticket.item, order.ticket.side, execution.px, execution.qty
        setting = self.wallet.setting(item.name)
        position = self.wallet.position(item)
        leverage = setting.leverage if setting.margin_type is MarginType.ISOLATED else None
        realized = position.trade(_signed(side, qty), px, isolated_leverage=leverage, at_ms=at_ms)
        fee, asset = self._commission(item, px * qty, at_ms, maker=maker, most=most_fee)
        trade_id = next(self.log.trade_ids)
        self.wallet.book(item, IncomeKind.REALIZED_PNL, realized, at_ms, trade_id)
        self.wallet.book(item, IncomeKind.COMMISSION, -fee, at_ms, trade_id, asset)
        fill = Fill(trade_id, order.order_id, item, side, px, qty, fee, asset, maker, at_ms, realized)
        self.log.fill(order, fill)
        self._expire_idle_reductions(position, at_ms)
        return fill

    def _commission(
        self, item: Instrument, notional: Decimal, at_ms: int, *, maker: bool, most: Decimal | None
    ) -> tuple[Decimal, str]:
        """Return a fee and its asset; `most`: that much (quote units) is there for it, and no BNB is used."""
        in_bnb = self.fees.perp_bnb(self.view, notional, at_ms, maker=maker) if most is None else None
        if in_bnb is not None and in_bnb <= self.wallet.balance(BNB):
            return in_bnb, BNB
        fee = (notional * self.fees.perp.of(maker=maker)).quantize(MONEY_STEP, ROUND_DOWN)
        return (fee if most is None else min(fee, most)), item.quote

    def _expire_idle_reductions(self, position: Position, at_ms: int) -> None:
        """Take back the reduce-only orders that have nothing left to reduce."""
        for other in self.log.open(position.item.name):
            ticket = other.ticket
            if ticket.reduce_only and not position.closable_qty(_signed(ticket.side, other.remaining_qty)):
                self.log.end(other, Status.EXPIRED, at_ms)

    def _settlements(self, after_ms: int, until_ms: int) -> list[tuple[int, Instrument, Decimal]]:
        """Return (moment, instrument, rate) of every settlement in [after_ms, until_ms], by time."""
        found: list[tuple[int, Instrument, Decimal]] = []
        held = {position.item.name: position.item for position in self.wallet.open_positions()}
        held |= {order.ticket.item.name: order.ticket.item for order in self.log.open()}
        for name, item in sorted(held.items()):
            known = self.view.settlements(name, until_ms)
            first = int(np.searchsorted(known.at_ms, after_ms, side="left"))
            pairs = zip(known.at_ms[first:].tolist(), known.rates[first:].tolist(), strict=True)
            found += [(at_ms, item, Decimal(repr(rate))) for at_ms, rate in pairs]
        return sorted(found, key=lambda row: row[0])

    def _fund(self, at_ms: int, item: Instrument, rate: Decimal) -> None:
        """Pay or receive one settlement; an isolated position's goes through its margin."""
        position = self.wallet.position(item)
        received = -(rate * self._mark_at(item, at_ms) * position.qty)
        received = received.quantize(MONEY_STEP, ROUND_HALF_EVEN)
        self.wallet.book(item, IncomeKind.FUNDING_FEE, received, at_ms)
        if received:
            self._audit.funded(self.wallet.incomes[-1])
        if self.wallet.setting(item.name).margin_type is MarginType.ISOLATED:
            position.isolated_margin += received

    def _mark_at(self, item: Instrument, at_ms: int) -> Decimal:
        px = self.view.mark_px(item.name, at_ms)
        return _ZERO if px is None else Decimal(repr(px)).quantize(MONEY_STEP)


def _signed(side: Side, qty: Decimal) -> Decimal:
    return qty if side is Side.BUY else -qty

"""Make freqtrade's own profit of a live trade the pair's: `docs/accounting.md`, "Booking".

freqtrade sums `funding_fee` over a trade's orders. What the pair has realized beyond what freqtrade knows
(perp price P&L at raw prices, perp fees at its rates) is set on the order that was filled last; earlier
orders keep what was set on them. What freqtrade knows is asked from freqtrade itself, with empty slots, so
that its own rounding can never leave a difference. An open trade shows what the spot leg has gained beside
it, in `funding_fees`; that part is never put on an order.
"""

from decimal import Decimal
from typing import Any, Protocol

from hedge_leg.core.accounts import books, exposure
from hedge_leg.core.carry import Carry
from hedge_leg.core.ledger import Account
from hedge_leg.core.rebalancing import rebalancing_cost, rebalancing_share
from hedge_leg.trade_view import OrderView, TradeView, filled_orders


class LiveTrade(TradeView, Protocol):
    """freqtrade's persistent trade, as far as it is booked."""

    id: int
    pair: str
    is_open: bool
    amount: float
    realized_profit: float
    close_profit_abs: float | None
    funding_fees: float | None

    def recalc_trade_from_orders(self, *, is_closing: bool = False) -> None:
        """Recalculate amount, prices and profit from the orders."""

    def set_custom_data(self, key: str, value: Any) -> None:
        """Store a value beside the trade."""


def book(trade: LiveTrade, carry: Carry) -> None:
    """Set the last filled order's slot so that the trade's realized profit is the ledger's net.

    Idempotent; call it again whenever a fact came late. Works on the real trade, not on a copy.
    """
    orders = filled_orders(trade)
    if not orders:
        return
    total = unknown_to_host(trade, carry, orders)
    last = orders[-1]
    earlier = sum(order.funding_fee or 0.0 for order in orders if order is not last)
    last.funding_fee = total - earlier
    _recalculate(trade)
    if not trade.is_open:  # freqtrade rounds each exit to 1e-8: let the sum, not the parts, be exact
        last.funding_fee += float(books(carry).ledger.net) - (trade.close_profit_abs or 0.0)
        _recalculate(trade)


def unknown_to_host(trade: LiveTrade, carry: Carry, orders: list[OrderView]) -> float:
    """Return the realized cash flow (quote) that freqtrade does not reckon by itself."""
    kept = [order.funding_fee for order in orders]
    running = trade.funding_fees
    try:
        for order in orders:
            order.funding_fee = 0.0
        _recalculate(trade)
        known = trade.realized_profit if trade.is_open else trade.close_profit_abs
        if (
            trade.is_open
        ):  # the fee of what is still open is in the ledger, and freqtrade counts it at the exit
            known = (known or 0.0) - trade.amount * trade.open_rate * (trade.fee_open or 0.0)
    finally:
        for order, slot in zip(orders, kept, strict=True):
            order.funding_fee = slot
        trade.funding_fees = running
    return float(books(carry).ledger.net) - (known or 0.0)


def _recalculate(trade: LiveTrade) -> None:
    trade.realized_profit = 0.0  # freqtrade sets it only when there is profit to set
    trade.recalc_trade_from_orders(is_closing=not trade.is_open)


def show_open(trade: LiveTrade, carry: Carry, spot_px: Decimal) -> None:
    """Let an open trade show the pair's present P&L: realized so far and what the spot leg has gained.

    The perp's own unrealized P&L is freqtrade's. `spot_px` in quote per base unit.
    """
    orders = filled_orders(trade)
    if not orders or not trade.is_open:
        return
    kept = books(carry)
    spot_open = kept.ledger.spot_qty * spot_px - kept.ledger.balance(Account.SPOT_COST)
    unknown = unknown_to_host(trade, carry, orders)
    _recalculate(trade)
    realized = sum(order.funding_fee or 0.0 for order in _up_to_last_exit(trade, orders))
    rounded = float(kept.perp_entry_value) - trade.amount * trade.open_rate  # its average price, to a tick
    trade.funding_fees = unknown - realized + float(spot_open) + rounded


def _up_to_last_exit(trade: LiveTrade, orders: list[OrderView]) -> list[OrderView]:
    """Return the orders whose slots freqtrade has already counted as realized profit."""
    exits = [number for number, order in enumerate(orders, 1) if order.ft_order_side != trade.entry_side]
    return orders[: exits[-1]] if exits else []


def decomposition(carry: Carry, now_ms: int, tolerance_qty: Decimal) -> dict[str, float | str]:
    """Return what the trade's custom data shows: state, quantities, P&L parts (quote), exposure, lags."""
    ledger = books(carry).ledger
    unhedged = exposure(carry, now_ms, tolerance_qty)
    held = carry.spot_qty
    cost = ledger.balance(Account.SPOT_COST)
    fees = ledger.balance(Account.FEES_PERP) + ledger.balance(Account.FEES_SPOT)
    shown: dict[str, float | str] = {
        "carry_id": carry.carry_id,
        "hedge_state": carry.state.value,
        "spot_qty": float(held),
        "spot_avg_px": float(cost / held) if held and cost else 0.0,
        "basis_pnl": float(ledger.basis_pnl),
        "funding": float(ledger.funding),
        "fees": float(fees),
        "unhedged_usd_s": float(unhedged.total_usd_s),
        "unhedged_worst_usd": float(unhedged.worst_notional),
        "retries": carry.retries,
        "rollbacks": carry.rollbacks,
    }
    rebalancing = rebalancing_cost(carry)
    shown["rebalancing_cost"] = float(rebalancing)
    share = rebalancing_share(rebalancing, ledger.net)
    if share is not None:
        shown["rebalancing_share"] = float(share)
    if carry.first_sent_lag_ms is not None:
        shown["ms_to_spot_sent"] = carry.first_sent_lag_ms
    if carry.hedged_lag_ms is not None:
        shown["ms_to_hedged"] = carry.hedged_lag_ms
    return shown

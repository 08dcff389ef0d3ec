"""JSON rows of USD-M orders, fills and income."""

from decimal import Decimal

from paper_exchange.orders import Fill, Order, Side
from paper_exchange.perp_wallet import Income
from paper_exchange.rows import JsonObject, money, plain


def perp_order_row(order: Order) -> JsonObject:
    """Return an order as `GET /fapi/v1/order` shows it."""
    filled_qty, filled_notional = order.filled_qty, order.filled_notional
    average_px = filled_notional / filled_qty if filled_qty else Decimal(0)
    ticket = order.ticket
    return {
        "orderId": order.order_id,
        "symbol": ticket.item.name,
        "status": order.status.value,
        "clientOrderId": order.client_id,
        "price": plain(ticket.limit_px or Decimal(0)),
        "avgPrice": money(average_px),
        "origQty": plain(order.qty),
        "executedQty": plain(filled_qty),
        "cumQty": plain(filled_qty),
        "cumQuote": money(filled_notional),
        "timeInForce": ticket.tif.value,
        "type": ticket.order_type.value,
        "reduceOnly": ticket.reduce_only,
        "closePosition": False,
        "side": ticket.side.value,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": ticket.order_type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def acknowledged_row(order: Order) -> JsonObject:
    """Return the answer of newOrderRespType=ACK: the order before anything was executed."""
    zero = money(Decimal(0))
    before: JsonObject = {
        "status": "NEW",
        "executedQty": "0",
        "cumQty": "0",
        "cumQuote": zero,
        "avgPrice": zero,
    }
    return perp_order_row(order) | before


def perp_fill_row(fill: Fill) -> JsonObject:
    """Return a fill as `GET /fapi/v1/userTrades` shows it."""
    return {
        "symbol": fill.item.name,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side.value,
        "price": plain(fill.px),
        "qty": plain(fill.qty),
        "realizedPnl": money(fill.realized_pnl),
        "quoteQty": money(fill.notional),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "positionSide": "BOTH",
        "buyer": fill.side is Side.BUY,
        "maker": fill.maker,
    }


def income_row(income: Income) -> JsonObject:
    """Return one line of `GET /fapi/v1/income`."""
    return {
        "symbol": income.name,
        "incomeType": income.kind.value,
        "income": money(income.amount),
        "asset": income.asset,
        "info": income.kind.value if income.trade_id is None else str(income.trade_id),
        "time": income.at_ms,
        "tranId": income.identity,
        "tradeId": "" if income.trade_id is None else str(income.trade_id),
    }

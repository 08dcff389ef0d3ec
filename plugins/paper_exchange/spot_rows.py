"""JSON rows of spot orders and fills."""

from decimal import Decimal

from paper_exchange.orders import Fill, Order, Side
from paper_exchange.rows import JsonObject, money

_NONE = Decimal(0)


def order_row(order: Order) -> JsonObject:
    """Return an order as `GET /api/v3/order` shows it."""
    return {
        **_common(order),
        "stopPrice": money(_NONE),
        "icebergQty": money(_NONE),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
    }


def taken_row(order: Order, form: str) -> JsonObject:
    """Return the answer to a new order; `form`: ACK, RESULT, or FULL, which adds the fills."""
    row: JsonObject = {
        "symbol": order.ticket.item.name,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }
    if form == "ACK":
        return row
    row |= _common(order) | {"workingTime": order.created_ms}
    if form == "FULL":
        row["fills"] = [
            {
                "price": money(fill.px),
                "qty": money(fill.qty),
                "commission": money(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in order.fills
        ]
    return row


def canceled_row(order: Order) -> JsonObject:
    """Return the answer to a cancelation: the order's own client id is now the original one."""
    own = {
        "origClientOrderId": order.client_id,
        "clientOrderId": order.cancel_id or f"cancel-{order.order_id}",
    }
    return _common(order) | own | {"transactTime": order.updated_ms}


def fill_row(fill: Fill) -> JsonObject:
    """Return a fill as `GET /api/v3/myTrades` shows it."""
    return {
        "symbol": fill.item.name,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": money(fill.px),
        "qty": money(fill.qty),
        "quoteQty": money(fill.notional),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def _common(order: Order) -> JsonObject:
    ticket = order.ticket
    return {
        "symbol": ticket.item.name,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": money(ticket.limit_px or _NONE),
        "origQty": money(order.qty),
        "executedQty": money(order.filled_qty),
        "origQuoteOrderQty": money(ticket.spend_notional or _NONE),
        "cummulativeQuoteQty": money(order.filled_notional),
        "status": order.status.value,
        "timeInForce": ticket.tif.value,
        "type": ticket.order_type.value,
        "side": ticket.side.value,
        "selfTradePreventionMode": "NONE",
    }

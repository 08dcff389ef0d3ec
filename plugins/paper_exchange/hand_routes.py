"""`/_control/hand`: what a human does with the same account, past the client that is being rehearsed.

POST one of

    {"venue": "spot" | "perp", "symbol": "BTCUSDT", "side": "BUY" | "SELL", "qty": "0.1" | "all"}
    {"deposit": {"asset": "USDT", "amount": "100", "wallet": "spot" | "perp"}}
    {"withdraw": {..}}

A trade is a market order, or a limit order that may rest (`limit_px`, GTC); its client id is `client_id`, or
like the web site's: "web_1". "all" closes the futures position (reduce-only), or sells what is free of a spot
balance. It is answered as the exchange shows the order, or with its refusal. Deposits and withdrawals are
answered with {"wallet", "asset", "amount"}, amount < 0 for the latter; -4026 when that much is not free.
"""

from decimal import Decimal
from itertools import count
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from paper_exchange import query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.fault_kinds import Strict
from paper_exchange.fault_levers import Levers
from paper_exchange.faults import posted
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.orders import OrderType, Side, Ticket, TimeInForce
from paper_exchange.perp_order_rows import perp_order_row
from paper_exchange.rows import JsonObject, plain
from paper_exchange.spot_rows import order_row
from paper_exchange.thinning import floor_lots

Positive = Annotated[Decimal, Field(gt=0, strict=False)]


class Transfer(Strict):
    """An amount (units of the asset) that comes into a wallet or leaves it."""

    asset: str
    amount: Positive
    wallet: Literal["spot", "perp"]


class HandOrder(Strict):
    """What is done by hand: a trade, a deposit or a withdrawal."""

    venue: Literal["spot", "perp"] | None = None
    symbol: str | None = None
    side: Literal["BUY", "SELL"] | None = None
    qty: Positive | Literal["all"] | None = None
    limit_px: Positive | None = None
    client_id: str | None = None
    deposit: Transfer | None = None
    withdraw: Transfer | None = None

    @model_validator(mode="after")
    def _check(self) -> "HandOrder":
        trade = (self.venue, self.symbol, self.side, self.qty)
        wanted = (
            any(part is not None for part in trade),
            self.deposit is not None,
            self.withdraw is not None,
        )
        if sum(wanted) != 1 or (wanted[0] and None in trade):
            raise ValueError("give venue, symbol, side and qty; or deposit; or withdraw")
        return self


def hand_router(levers: Levers) -> APIRouter:
    """Return the router of the manual hand."""
    router = APIRouter(prefix="/_control")
    numbers = count(1)

    @router.post("/hand")
    async def act(request: Request) -> JSONResponse:
        order = posted(HandOrder, await request.body())
        levers.catch_up()
        if order.deposit is not None:
            return JSONResponse(_move(levers, order.deposit, order.deposit.amount))
        if order.withdraw is not None:
            return JSONResponse(_move(levers, order.withdraw, -order.withdraw.amount))
        return JSONResponse(_trade(levers, order, order.client_id or f"web_{next(numbers)}"))

    return router


def _trade(levers: Levers, order: HandOrder, client_id: str) -> JsonObject:
    """Place the order and return it as the exchange shows it."""
    venue = Venue(order.venue or "spot")
    item = query.listed(levers.spot.view.store, venue, order.symbol or "")
    side = Side(order.side or "BUY")
    order_type = OrderType.MARKET if order.limit_px is None else OrderType.LIMIT
    everything = order.qty == "all"
    qty = _everything(levers, item, side) if order.qty == "all" else order.qty
    reduce_only = everything and venue is Venue.PERP
    ticket = Ticket(
        item, side, order_type, TimeInForce.GTC, qty, None, order.limit_px, client_id, reduce_only
    )
    if venue is Venue.PERP:
        return perp_order_row(levers.perp.place(ticket))
    return order_row(levers.spot.place(ticket))


def _everything(levers: Levers, item: Instrument, side: Side) -> Decimal:
    """Return what can be closed: a position, or a free spot balance in whole lots."""
    if item.venue is Venue.PERP:
        return abs(levers.perp.wallet.position(item).qty)
    if side is Side.BUY:
        raise RefusedRequestError(-1130, 'qty "all" sells on spot: give a quantity to buy')
    return floor_lots(levers.spot.wallet.balance(item.base).free, item.filters.lot)


def _move(levers: Levers, transfer: Transfer, amount: Decimal) -> JsonObject:
    """Change a balance; -4026 when less than that is free."""
    now_ms, asset = levers.now_ms(), transfer.asset
    if transfer.wallet == "spot":
        free = levers.spot.wallet.balance(asset).free
    else:
        free = levers.perp.margin(asset).available
    if free + amount < 0:
        raise RefusedRequestError(-4026, "The user has insufficient balance available.")
    if transfer.wallet == "spot":
        levers.spot.wallet.receive(asset, amount)
    else:
        levers.perp.wallet.transfer(asset, amount, now_ms)
    levers.audit.moved(now_ms, transfer.wallet, asset, amount)
    return {"wallet": transfer.wallet, "asset": asset, "amount": plain(amount)}

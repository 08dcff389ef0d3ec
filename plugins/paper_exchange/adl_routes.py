"""`/_control/adl`: have the exchange deleverage a position, as it does when its insurance fund runs low.

POST {"symbol": "BTCUSDT", "share": "0.5"}: that share (0..1, default all; whole lots) of the position is
closed at the mark, its open orders expire. Answered with the order as the exchange shows it; -2022 when there
is no lot to close.
"""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from paper_exchange import query
from paper_exchange.fault_kinds import Strict
from paper_exchange.faults import posted
from paper_exchange.instruments import Venue
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_order_rows import perp_order_row


class Deleveraging(Strict):
    """Which position is reduced, and by how much of it."""

    symbol: str
    share: Annotated[Decimal, Field(gt=0, le=1, strict=False)] = Decimal(1)


def adl_router(market: PerpMarket) -> APIRouter:
    """Return the router that deleverages `market`'s positions."""
    router = APIRouter(prefix="/_control")

    @router.post("/adl")
    async def deleverage(request: Request) -> JSONResponse:
        wanted = posted(Deleveraging, await request.body())
        market.catch_up()
        item = query.listed(market.view.store, Venue.PERP, wanted.symbol)
        return JSONResponse(perp_order_row(market.deleverage(item, wanted.share)))

    return router

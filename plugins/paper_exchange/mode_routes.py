"""Signed USD-M endpoints of what holds for the whole account: modes, commission rates, fees in BNB.

In hedge mode every order is refused with -4061: the exchange keeps one-way positions only. Multi-assets mode
is told and bounds the margin types; other assets are not counted as margin.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.fees import PERP_BNB_SHARE
from paper_exchange.instruments import Venue
from paper_exchange.perp_market import PerpMarket
from paper_exchange.rows import plain
from paper_exchange.signing import Enter

_DONE = {"code": 200, "msg": "success"}


def mode_router(market: PerpMarket, enter: Enter) -> APIRouter:
    """Return the router of the account-wide settings.

    `enter` checks the signature and lets the market catch up with the clock.
    """
    router = APIRouter(prefix="/fapi/v1")
    wallet = market.wallet

    @router.get("/positionSide/dual")
    async def position_side(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse({"dualSidePosition": wallet.hedge_mode})

    @router.post("/positionSide/dual")
    async def set_position_side(request: Request) -> JSONResponse:
        wanted = query.boolean(await enter(request), "dualSidePosition")
        wallet.set_hedge_mode(wanted, ordered=bool(market.log.open()))
        return JSONResponse(_DONE)

    @router.get("/multiAssetsMargin")
    async def assets_margin(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse({"multiAssetsMargin": wallet.multi_assets})

    @router.post("/multiAssetsMargin")
    async def set_assets_margin(request: Request) -> JSONResponse:
        wanted = query.boolean(await enter(request), "multiAssetsMargin")
        wallet.set_multi_assets(wanted, ordered=bool(market.log.open()))
        return JSONResponse(_DONE)

    @router.get("/accountConfig")
    async def account_config(request: Request) -> JSONResponse:
        await enter(request)
        modes = {"dualSidePosition": wallet.hedge_mode, "multiAssetsMargin": wallet.multi_assets}
        rights = {"canTrade": True, "canDeposit": False, "canWithdraw": False}
        return JSONResponse({"feeTier": 0, "updateTime": 0, "tradeGroupId": -1} | rights | modes)

    _add_fees(router, market, enter)
    return router


def _add_fees(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    fees = market.fees

    @router.get("/commissionRate")
    async def commission_rate(request: Request) -> JSONResponse:
        item = query.symbol(await enter(request), market.view.store, Venue.PERP)
        share = PERP_BNB_SHARE if fees.perp_in_bnb else 1
        rates = {"makerCommissionRate": fees.perp.maker, "takerCommissionRate": fees.perp.taker}
        return JSONResponse(
            {"symbol": item.name} | {name: plain((rate * share).normalize()) for name, rate in rates.items()}
        )

    @router.get("/feeBurn")
    async def fee_burn(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse({"feeBurn": fees.perp_in_bnb})

    @router.post("/feeBurn")
    async def set_fee_burn(request: Request) -> JSONResponse:
        fees.perp_in_bnb = query.boolean(await enter(request), "feeBurn")
        return JSONResponse(_DONE)

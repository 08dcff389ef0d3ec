"""Signed spot endpoints of the account itself: balances and commission rates."""

from decimal import Decimal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.account import Account
from paper_exchange.fees import BNB, SPOT_BNB_SHARE, Rates
from paper_exchange.instruments import Venue
from paper_exchange.rows import JsonObject, money
from paper_exchange.signing import Enter
from paper_exchange.view import MarketView

_NONE = Decimal(0)


def spot_account_router(view: MarketView, account: Account, enter: Enter) -> APIRouter:
    """Return the router of the account's spot balances.

    `enter` checks the signature and lets the market catch up with the clock.
    """
    router = APIRouter(prefix="/api/v3")

    @router.get("/account")
    async def balances(request: Request) -> JSONResponse:
        signed = await enter(request)
        omit_zero = signed.query_params.get("omitZeroBalances", "").lower() == "true"
        rows = [
            {"asset": asset, "free": money(balance.free), "locked": money(balance.locked)}
            for asset, balance in account.spot.held()
            if not omit_zero or balance.free or balance.locked
        ]
        return JSONResponse(_account(view.now_ms(), account.fees.spot) | {"balances": rows})

    @router.get("/account/commission")
    async def commission(request: Request) -> JSONResponse:
        item = query.symbol(await enter(request), view.store, Venue.SPOT)
        none = {name: money(_NONE) for name in ("maker", "taker", "buyer", "seller")}
        in_bnb = account.fees.spot_in_bnb
        return JSONResponse(
            {
                "symbol": item.name,
                "standardCommission": _rates(account.fees.spot),
                "specialCommission": none,
                "taxCommission": none,
                "discount": {
                    "enabledForAccount": in_bnb,
                    "enabledForSymbol": True,
                    "discountAsset": BNB,
                    "discount": money(SPOT_BNB_SHARE),
                },
            }
        )

    return router


def _rates(rates: Rates) -> JsonObject:
    return {
        "maker": money(rates.maker),
        "taker": money(rates.taker),
        "buyer": money(_NONE),
        "seller": money(_NONE),
    }


def _account(now_ms: int, rates: Rates) -> JsonObject:
    return {
        "makerCommission": int(rates.maker * 10_000),
        "takerCommission": int(rates.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(rates),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "accountType": "SPOT",
        "permissions": ["SPOT"],
        "updateTime": now_ms,
    }

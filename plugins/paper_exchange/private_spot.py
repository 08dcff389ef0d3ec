"""Signed spot endpoints: `/api/v3/account`, and what ccxt asks `/sapi/v1` for once it has a key."""

from decimal import Decimal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange.account import Account
from paper_exchange.instruments import Venue
from paper_exchange.rows import JsonObject, money
from paper_exchange.signing import Enter
from paper_exchange.spot_market import FEE_RATE
from paper_exchange.view import MarketView

_FEE_BPS = int(FEE_RATE * 10_000)


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
        return JSONResponse(_account(view.now_ms()) | {"balances": rows})

    return router


def wallet_router(view: MarketView, account: Account, enter: Enter) -> APIRouter:
    """Return the router of `/sapi/v1`'s signed endpoints: coins, and margin pairs (none)."""
    router = APIRouter(prefix="/sapi/v1")

    @router.get("/capital/config/getall")
    async def coins(request: Request) -> JSONResponse:
        await enter(request)
        listed = [item for venue in Venue for item in view.store.listed(venue)]
        names = {item.base for item in listed} | {item.quote for item in listed}
        return JSONResponse([_coin(name, account) for name in sorted(names)])

    @router.get("/margin/allPairs")
    @router.get("/margin/isolated/allPairs")
    async def margin_pairs(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse([])

    return router


def _account(now_ms: int) -> JsonObject:
    rate = money(FEE_RATE)
    return {
        "makerCommission": _FEE_BPS,
        "takerCommission": _FEE_BPS,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": rate,
            "taker": rate,
            "buyer": money(Decimal(0)),
            "seller": money(Decimal(0)),
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "accountType": "SPOT",
        "permissions": ["SPOT"],
        "updateTime": now_ms,
    }


def _coin(name: str, account: Account) -> JsonObject:
    balance = account.spot.balance(name)
    return {
        "coin": name,
        "name": name,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "free": money(balance.free),
        "locked": money(balance.locked),
        "freeze": "0",
        "withdrawing": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    }

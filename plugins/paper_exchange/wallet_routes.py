"""Signed `/sapi/v1` endpoints: coins, the key's permissions, trade fees, fees in BNB, transfers.

There is no margin: its pairs are empty lists.
"""

from itertools import count

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.account import Account
from paper_exchange.audit import AuditLog
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.perp_market import PerpMarket
from paper_exchange.rows import JsonObject, money, plain
from paper_exchange.signing import Enter, Permission
from paper_exchange.tickets import decimal

_TO_FUTURES, _TO_SPOT = "MAIN_UMFUTURE", "UMFUTURE_MAIN"


def wallet_router(market: PerpMarket, account: Account, audit: AuditLog, enter: Enter) -> APIRouter:
    """Return the router; `enter` checks the signature and lets the spot market catch up with the clock."""
    router = APIRouter(prefix="/sapi/v1")

    @router.get("/capital/config/getall")
    async def coins(request: Request) -> JSONResponse:
        await enter(request)
        listed = [item for venue in Venue for item in market.view.store.listed(venue)]
        names = {item.base for item in listed} | {item.quote for item in listed}
        return JSONResponse([_coin(name, account) for name in sorted(names)])

    @router.get("/margin/allPairs")
    @router.get("/margin/isolated/allPairs")
    async def margin_pairs(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse([])

    @router.get("/account/apiRestrictions")
    async def restrictions(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse(_restrictions(account))

    _add_fees(router, market, account, enter)
    _add_transfers(router, market, account, audit, enter)
    return router


def _add_fees(router: APIRouter, market: PerpMarket, account: Account, enter: Enter) -> None:
    fees = account.fees

    @router.get("/asset/tradeFee")
    async def trade_fees(request: Request) -> JSONResponse:
        name = (await enter(request)).query_params.get("symbol")
        store = market.view.store
        items = [query.listed(store, Venue.SPOT, name)] if name else store.listed(Venue.SPOT)
        rates = {"makerCommission": fees.spot.maker, "takerCommission": fees.spot.taker}
        told = {name: plain(rate.normalize()) for name, rate in rates.items()}
        return JSONResponse([{"symbol": item.name} | told for item in items])

    @router.get("/bnbBurn")
    async def bnb_burn(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse({"spotBNBBurn": fees.spot_in_bnb, "interestBNBBurn": False})

    @router.post("/bnbBurn")
    async def set_bnb_burn(request: Request) -> JSONResponse:
        fees.spot_in_bnb = query.boolean(await enter(request), "spotBNBBurn")
        return JSONResponse({"spotBNBBurn": fees.spot_in_bnb, "interestBNBBurn": False})


def _add_transfers(
    router: APIRouter, market: PerpMarket, account: Account, audit: AuditLog, enter: Enter
) -> None:
    """Add transfers between the spot and the futures wallet."""
    identities, done = count(1), list[JsonObject]()

    @router.post("/asset/transfer")
    async def transfer(request: Request) -> JSONResponse:
        signed = await enter(request)
        market.catch_up()
        kind, asset = query.required(signed, "type"), query.required(signed, "asset")
        query.required(signed, "amount")
        amount, now_ms = decimal(signed, "amount"), market.view.now_ms()
        if kind not in {_TO_FUTURES, _TO_SPOT} or not amount:
            raise RefusedRequestError(-1130, "Data sent for parameter 'type' or 'amount' is not valid.")
        outward = kind == _TO_FUTURES
        free = account.spot.balance(asset).free if outward else market.margin(asset).available
        if amount > free:
            raise RefusedRequestError(-5013, "Asset transfer failed: insufficient balance")
        gained = amount if outward else -amount  # by the futures wallet
        account.spot.receive(asset, -gained)
        market.wallet.transfer(asset, gained, now_ms)
        audit.moved(now_ms, "spot", asset, -gained)
        audit.moved(now_ms, "perp", asset, gained)
        row: JsonObject = {"asset": asset, "amount": plain(amount), "type": kind, "status": "CONFIRMED"}
        done.append(row | {"tranId": next(identities), "timestamp": now_ms})
        return JSONResponse({"tranId": done[-1]["tranId"]})

    @router.get("/asset/transfer")
    async def transfers(request: Request) -> JSONResponse:
        signed = await enter(request)
        kind = query.required(signed, "type")
        start_ms, end_ms = query.integer(signed, "startTime"), query.integer(signed, "endTime")
        found = [
            row
            for row in reversed(done)
            if row["type"] == kind and (start_ms or 0) <= int(str(row["timestamp"])) <= (end_ms or 1 << 62)
        ]
        return JSONResponse({"total": len(found), "rows": found})


def _restrictions(account: Account) -> JsonObject:
    allowed = account.credentials.permissions
    return {
        "ipRestrict": False,
        "createTime": account.perp.opened_ms,
        "enableReading": Permission.READ in allowed,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": Permission.FUTURES in allowed,
        "permitsUniversalTransfer": Permission.SPOT in allowed,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": Permission.SPOT in allowed,
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

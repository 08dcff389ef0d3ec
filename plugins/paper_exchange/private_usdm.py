"""Signed USD-M endpoints of the account itself: balances, margin settings, leverage brackets, positions."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.account import Account
from paper_exchange.brackets import brackets, most_notional
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.perp_rows import account_summary, balance_rows, position_row
from paper_exchange.perp_wallet import MarginType
from paper_exchange.rows import JsonObject, plain
from paper_exchange.signing import Gate, SignedRequest
from paper_exchange.view import MarketView


def usdm_account_router(view: MarketView, account: Account, gate: Gate) -> APIRouter:
    """Return the router of the futures account."""
    router = APIRouter(prefix="/fapi")
    _add_balances(router, view, account, gate)
    _add_modes(router, gate)
    _add_settings(router, view, account, gate)
    return router


def _add_balances(router: APIRouter, view: MarketView, account: Account, gate: Gate) -> None:
    @router.get("/v2/balance")
    @router.get("/v3/balance")
    async def balances(request: Request) -> JSONResponse:
        await gate.admit(request)
        return JSONResponse(balance_rows(account.perp))

    @router.get("/v2/account")
    async def account_v2(request: Request) -> JSONResponse:
        await gate.admit(request)
        positions = [position_row(item, account.perp, view) for item in view.store.listed(Venue.PERP)]
        return JSONResponse(account_summary(account.perp) | {"positions": positions})

    @router.get("/v3/account")
    async def account_v3(request: Request) -> JSONResponse:
        await gate.admit(request)
        return JSONResponse(account_summary(account.perp) | {"positions": []})

    @router.get("/v2/positionRisk")
    async def positions_v2(request: Request) -> JSONResponse:
        items = _asked(await gate.admit(request), view)
        return JSONResponse([position_row(item, account.perp, view) for item in items])

    @router.get("/v3/positionRisk")
    async def positions_v3(request: Request) -> JSONResponse:
        _asked(await gate.admit(request), view)
        return JSONResponse([])


def _add_modes(router: APIRouter, gate: Gate) -> None:
    """Add the account-wide modes: one-way positions, single-asset margin."""

    @router.get("/v1/positionSide/dual")
    async def position_side(request: Request) -> JSONResponse:
        await gate.admit(request)
        return JSONResponse({"dualSidePosition": False})

    @router.get("/v1/multiAssetsMargin")
    async def assets_margin(request: Request) -> JSONResponse:
        await gate.admit(request)
        return JSONResponse({"multiAssetsMargin": False})


def _add_settings(router: APIRouter, view: MarketView, account: Account, gate: Gate) -> None:
    @router.get("/v1/leverageBracket")
    async def leverage_brackets(request: Request) -> JSONResponse:
        return JSONResponse([_bracket_row(item) for item in _asked(await gate.admit(request), view)])

    @router.post("/v1/leverage")
    async def set_leverage(request: Request) -> JSONResponse:
        signed = await gate.admit(request)
        item = query.symbol(signed, view.store, Venue.PERP)
        query.required(signed, "leverage")
        leverage = query.integer(signed, "leverage") or 0
        account.perp.set_leverage(item, leverage)
        return JSONResponse(
            {
                "symbol": item.name,
                "leverage": leverage,
                "maxNotionalValue": plain(most_notional(item.base, leverage)),
            }
        )

    @router.post("/v1/marginType")
    async def set_margin_type(request: Request) -> JSONResponse:
        signed = await gate.admit(request)
        item = query.symbol(signed, view.store, Venue.PERP)
        wanted = query.required(signed, "marginType")
        if wanted not in set(MarginType):
            raise RefusedRequestError(-1130, "Data sent for parameter 'marginType' is not valid.")
        account.perp.set_margin_type(item, MarginType(wanted))
        return JSONResponse({"code": 200, "msg": "success"})


def _asked(signed: SignedRequest, view: MarketView) -> list[Instrument]:
    """Return the instrument of the optional `symbol`, or all."""
    name = signed.query_params.get("symbol")
    return [query.listed(view.store, Venue.PERP, name)] if name else view.store.listed(Venue.PERP)


def _bracket_row(item: Instrument) -> JsonObject:
    return {
        "symbol": item.name,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": bracket.most_leverage,
                "notionalCap": int(bracket.cap_notional),
                "notionalFloor": int(bracket.floor_notional),
                "maintMarginRatio": float(bracket.maintenance_rate),
                "cum": float(bracket.cum_margin),
            }
            for number, bracket in enumerate(brackets(item.base), start=1)
        ],
    }

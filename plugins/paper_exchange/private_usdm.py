"""Signed USD-M endpoints of the account itself: balances, margin settings, leverage brackets, positions."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from paper_exchange import query
from paper_exchange.brackets import brackets, most_notional
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Instrument, Venue
from paper_exchange.perp_market import PerpMarket
from paper_exchange.perp_rows import account_summary, balance_rows, held_items, position_row
from paper_exchange.perp_wallet import MarginSetting, MarginType
from paper_exchange.rows import JsonObject, plain
from paper_exchange.signing import Enter, SignedRequest


def usdm_account_router(market: PerpMarket, enter: Enter) -> APIRouter:
    """Return the router of the futures account.

    `enter` checks the signature and lets the market catch up with the clock.
    """
    router = APIRouter(prefix="/fapi")
    _add_balances(router, market, enter)
    _add_settings(router, market, enter)
    return router


def _add_balances(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    @router.get("/v2/balance")
    @router.get("/v3/balance")
    async def balances(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse(balance_rows(market))

    @router.get("/v2/account")
    async def account_v2(request: Request) -> JSONResponse:
        await enter(request)
        positions = [position_row(item, market) for item in market.view.store.listed(Venue.PERP)]
        return JSONResponse(account_summary(market) | {"positions": positions})

    @router.get("/v3/account")
    async def account_v3(request: Request) -> JSONResponse:
        await enter(request)
        return JSONResponse(account_summary(market) | {"positions": _held(market)})

    @router.get("/v2/positionRisk")
    async def positions_v2(request: Request) -> JSONResponse:
        items = _asked(await enter(request), market)
        return JSONResponse([position_row(item, market) for item in items])

    @router.get("/v3/positionRisk")
    async def positions_v3(request: Request) -> JSONResponse:
        signed = await enter(request)
        asked = {item.name for item in _asked(signed, market)}
        return JSONResponse([row for row in _held(market) if row["symbol"] in asked])


def _add_settings(router: APIRouter, market: PerpMarket, enter: Enter) -> None:
    @router.get("/v1/leverageBracket")
    async def leverage_brackets(request: Request) -> JSONResponse:
        return JSONResponse([_bracket_row(item) for item in _asked(await enter(request), market)])

    @router.get("/v1/symbolConfig")
    async def symbol_configs(request: Request) -> JSONResponse:
        items = _asked(await enter(request), market)
        return JSONResponse([_config_row(item, market.wallet.setting(item.name)) for item in items])

    @router.post("/v1/leverage")
    async def set_leverage(request: Request) -> JSONResponse:
        signed = await enter(request)
        item = query.symbol(signed, market.view.store, Venue.PERP)
        query.required(signed, "leverage")
        leverage = query.integer(signed, "leverage") or 0
        market.wallet.set_leverage(item, leverage)
        return JSONResponse(
            {
                "symbol": item.name,
                "leverage": leverage,
                "maxNotionalValue": plain(most_notional(item.base, leverage)),
            }
        )

    @router.post("/v1/marginType")
    async def set_margin_type(request: Request) -> JSONResponse:
        signed = await enter(request)
        item = query.symbol(signed, market.view.store, Venue.PERP)
        wanted = query.required(signed, "marginType")
        if wanted not in set(MarginType):
            raise RefusedRequestError(-1130, "Data sent for parameter 'marginType' is not valid.")
        market.wallet.set_margin_type(item, MarginType(wanted), ordered=bool(market.log.open(item.name)))
        return JSONResponse({"code": 200, "msg": "success"})


def _asked(signed: SignedRequest, market: PerpMarket) -> list[Instrument]:
    """Return the instrument of the optional `symbol`, or all."""
    name = signed.query_params.get("symbol")
    return (
        [query.listed(market.view.store, Venue.PERP, name)] if name else market.view.store.listed(Venue.PERP)
    )


def _held(market: PerpMarket) -> list[JsonObject]:
    return [position_row(item, market) for item in held_items(market)]


def _config_row(item: Instrument, setting: MarginSetting) -> JsonObject:
    return {
        "symbol": item.name,
        "marginType": setting.margin_type.value,
        "isAutoAddMargin": False,
        "leverage": setting.leverage,
        "maxNotionalValue": plain(most_notional(item.base, setting.leverage)),
    }


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

"""Read an order's parameters the way Binance checks their form, with its codes (-1100 to -1117)."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from paper_exchange import query
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue
from paper_exchange.orders import OrderType, Side, Ticket, TimeInForce
from paper_exchange.query import Parameters
from paper_exchange.store import CandleStore

_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_MOST_DECIMALS = 8
_TYPES = {Venue.SPOT: set(OrderType), Venue.PERP: {OrderType.LIMIT, OrderType.MARKET}}
_TIMES = {Venue.SPOT: set(TimeInForce) - {TimeInForce.GTX}, Venue.PERP: set(TimeInForce)}
_Word = TypeVar("_Word", bound=StrEnum)


def ticket(request: Parameters, store: CandleStore, venue: Venue) -> Ticket:
    """Return the order a request asks for; RefusedRequestError for a missing or malformed parameter."""
    item = query.symbol(request, store, venue)
    side = _word(request, "side", set(Side), -1117, "Invalid side.")
    order_type = _word(request, "type", _TYPES[venue], -1116, "Invalid orderType.")
    qty = decimal(request, "quantity")
    spend = decimal(request, "quoteOrderQty") if venue is Venue.SPOT else None
    limit_px, tif = decimal(request, "price"), TimeInForce.GTC
    if order_type is OrderType.MARKET:
        _unwanted(request, "price", "timeInForce")
        if qty is None and spend is None:
            query.required(request, "quantity")
        if qty is not None:
            _unwanted(request, "quoteOrderQty")
    else:
        _unwanted(request, "quoteOrderQty")
        query.required(request, "quantity")
        query.required(request, "price")
    if order_type is OrderType.LIMIT:
        tif = _word(request, "timeInForce", _TIMES[venue], -1115, "Invalid timeInForce.")
    for name, value in (("quantity", qty), ("quoteOrderQty", spend), ("price", limit_px)):
        if value is not None and not value:
            raise RefusedRequestError(-1013, f"Invalid {name}.")
    own_id = client_id(request, "newClientOrderId")
    reduce_only = venue is Venue.PERP and _reduce_only(request)
    return Ticket(item, side, order_type, tif, qty, spend, limit_px, own_id, reduce_only)


def decimal(request: Parameters, name: str) -> Decimal | None:
    """Return an optional decimal parameter; -1100 when it is not one, -1111 beyond 8 decimals."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not re.fullmatch(_DECIMAL, text, re.ASCII):
        raise _illegal(name, _DECIMAL)
    value = Decimal(text).normalize()
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _MOST_DECIMALS:
        raise RefusedRequestError(-1111, f"Parameter '{name}' has too much precision.")
    return value


def client_id(request: Parameters, name: str) -> str:
    """Return an optional client order id, or the empty text; -1100 when its form is wrong."""
    text = request.query_params.get(name, "")
    if text and not re.fullmatch(_CLIENT_ID, text, re.ASCII):
        raise _illegal(name, _CLIENT_ID)
    return text


def _word(request: Parameters, name: str, words: set[_Word], code: int, message: str) -> _Word:
    text = query.required(request, name)
    for word in words:
        if word.value == text:
            return word
    raise RefusedRequestError(code, message)


def _reduce_only(request: Parameters) -> bool:
    """Return `reduceOnly`; -4061 for a position side of hedge mode, which the account is not in."""
    if request.query_params.get("positionSide") not in {None, "", "BOTH"}:
        raise RefusedRequestError(-4061, "Order's position side does not match user's setting.")
    return request.query_params.get("reduceOnly", "").lower() == "true"


def _unwanted(request: Parameters, *names: str) -> None:
    for name in names:
        if request.query_params.get(name):
            raise RefusedRequestError(-1106, f"Parameter '{name}' sent when not required.")


def _illegal(name: str, pattern: str) -> RefusedRequestError:
    return RefusedRequestError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
    )

"""The error classifier on the codes of Bitget, OKX and Bybit, through real ccxt."""

import json
from typing import Any

import ccxt
import pytest

from hedge_leg.adapters.ccxt_errors import classify
from hedge_leg.adapters.ccxt_refusals import perp_refusals, spot_refusals
from hedge_leg.errors import OutcomeUnknown, VenueRefused
from tests.hedge_leg.wire import Wire, always


def client(exchange: str) -> Any:
    keys = {"apiKey": "key-1", "secret": "secret-1", "password": "pass-1", "enableRateLimit": False}
    return getattr(ccxt, exchange)(keys)


BITGET: list[tuple[int, str, bool]] = [
    (400, "43012", True),
    (400, "45110", True),
    (400, "43009", True),  # the price is beyond the band
    (400, "40037", True),
    (400, "40008", True),
    (429, "429", True),
    (400, "43118", False),  # duplicate client id
    (400, "45034", False),  # the same, of perps
    (400, "45023", False),  # "Error creating order"
    (400, "40078", False),  # the matching engine's window
    (400, "40910", False),  # "Operation timed out"
    (400, "40010", False),  # "request timed out"; ccxt calls it AuthenticationError
    (400, "40015", False),
    (400, "40725", False),
    (400, "40200", False),
    (400, "40786", False),  # duplicate client id
    (400, "43001", False),
    (400, "45001", False),
    (500, "43012", False),
    (200, "43012", True),
    (200, "40015", False),
]


@pytest.mark.parametrize(("status", "code", "refused"), BITGET)
def test_bitget_codes(status: int, code: str, refused: bool) -> None:
    found = client("bitget")
    found.session = Wire(always(status, json.dumps({"code": code, "msg": "a text", "data": None})))
    with pytest.raises(ccxt.BaseError) as caught:
        found.privateSpotPostV2SpotTradePlaceOrder({"symbol": "BTCUSDT"})
    verdict = classify(caught.value, spot_refusals("bitget"))
    assert isinstance(verdict, VenueRefused if refused else OutcomeUnknown)


@pytest.mark.parametrize(
    ("exchange", "answer", "refused"),
    [
        ("okx", {"code": "1", "data": [{"sCode": "51008", "sMsg": "Insufficient balance"}], "msg": ""}, True),
        ("okx", {"code": "1", "data": [{"sCode": "51016", "sMsg": "Duplicated id"}], "msg": ""}, False),
        ("okx", {"code": "1", "data": [{"sCode": "51169", "sMsg": "No position"}], "msg": ""}, True),
        ("okx", {"code": "1", "data": [{"sCode": "51149", "sMsg": "Order timed out"}], "msg": ""}, False),
        ("okx", {"code": "1", "data": [{"sCode": "50026", "sMsg": "System error"}], "msg": ""}, False),
        ("okx", {"code": "50013", "data": [], "msg": "Systems are busy"}, False),
        ("okx", {"code": "50004", "data": [], "msg": "Endpoint request timeout"}, False),
        ("okx", {"code": "50011", "data": [], "msg": "Too many requests"}, True),
        ("bybit", {"retCode": 170131, "retMsg": "Balance insufficient."}, True),
        ("bybit", {"retCode": 170193, "retMsg": "Buy order price cannot be higher than 1."}, True),
        ("bybit", {"retCode": 110072, "retMsg": "OrderLinkedID is duplicate"}, False),
        ("bybit", {"retCode": 10014, "retMsg": "Duplicate request"}, False),
        ("bybit", {"retCode": 170146, "retMsg": "Order creation timeout."}, False),
        ("bybit", {"retCode": 10000, "retMsg": "Server Timeout"}, False),
        ("bybit", {"retCode": 10019, "retMsg": "service is restarting"}, False),
        ("bybit", {"retCode": 170141, "retMsg": "Duplicate clientOrderId"}, False),
        ("bybit", {"retCode": 170007, "retMsg": "Timeout waiting for response from backend server."}, False),
        ("bybit", {"retCode": 10016, "retMsg": "Server error."}, False),
    ],
)
def test_okx_and_bybit_codes(exchange: str, answer: dict[str, Any], refused: bool) -> None:
    found = client(exchange)
    found.session = Wire(always(200, json.dumps(answer)))
    with pytest.raises(ccxt.BaseError) as caught:
        if exchange == "okx":
            found.privatePostTradeOrder({"instId": "BTC-USDT"})
        else:
            found.privatePostV5OrderCreate({"symbol": "BTCUSDT"})
    verdict = classify(caught.value, perp_refusals(exchange))
    assert isinstance(verdict, VenueRefused if refused else OutcomeUnknown)

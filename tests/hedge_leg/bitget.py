"""Bitget's answers, as its API documentation shows them, for tests without a network."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.config import read_config
from tests.hedge_leg.wire import Reply, Sent, Wire

CONFIG = Path(__file__).parents[2] / "user_data" / "config"
KEYS = Credentials("key-1", "secret-1", "pass-1")
NOW_MS = 1_700_000_000_000
SPOT_SYMBOL = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "minTradeAmount": "0",
    "maxTradeAmount": "10000000000",
    "takerFeeRate": "0.001",
    "makerFeeRate": "0.001",
    "pricePrecision": "2",
    "quantityPrecision": "6",
    "quotePrecision": "8",
    "minTradeUSDT": "1",
    "status": "online",
}
CONTRACT = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "buyLimitPriceRatio": "0.05",
    "sellLimitPriceRatio": "0.05",
    "makerFeeRate": "0.0002",
    "takerFeeRate": "0.0006",
    "supportMarginCoins": ["USDT"],
    "minTradeNum": "0.0001",
    "priceEndStep": "1",
    "volumePlace": "4",
    "pricePlace": "1",
    "sizeMultiplier": "0.0001",
    "symbolType": "perpetual",
    "minTradeUSDT": "5",
    "symbolStatus": "normal",
    "minLever": "1",
    "maxLever": "125",
}


def told(data: Any) -> Reply:
    """Return a successful answer."""
    return 200, json.dumps({"code": "00000", "msg": "success", "requestTime": NOW_MS, "data": data})


def refused(code: str, msg: str = "no", status: int = 400) -> Reply:
    """Return an error answer."""
    return status, json.dumps({"code": code, "msg": msg, "requestTime": NOW_MS, "data": None})


@dataclass
class FakeBitget:
    """Answers by path; `replies` holds what a test wants said, the market data are built in."""

    replies: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, sent: Sent) -> Reply:
        """Answer a request."""
        parts = urlsplit(sent.url)
        params: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
        params |= json.loads(sent.body) if sent.body else {}
        self.asked.append((sent.method, parts.path, params))
        reply = self.replies.get(
            parts.path, _MARKET_DATA.get(parts.path, refused("40404", "no such path", 404))
        )
        if callable(reply):
            reply = reply(params)
        return reply if isinstance(reply, tuple | Exception) else told(reply)

    def posts(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return what was sent to change something."""
        return [asked for asked in self.asked if asked[0] != "GET"]


def contracts(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contracts of a product type."""
    return [CONTRACT] if params["productType"] == "USDT-FUTURES" else []


_MARKET_DATA: dict[str, Any] = {
    "/api/v2/public/time": {"serverTime": str(NOW_MS)},
    "/api/v2/spot/public/symbols": [SPOT_SYMBOL],
    "/api/v2/spot/public/coins": [],
    "/api/v2/margin/currencies": [],
    "/api/v2/mix/market/contracts": contracts,
}


def spot_order(client_id: str, filled: str, status: str, side: str = "buy") -> list[dict[str, Any]]:
    """Return `orderInfo` of a spot order of 0.123456 at 60000.01."""
    return [
        {
            "userId": "7",
            "symbol": "BTCUSDT",
            "orderId": "121",
            "clientOid": client_id,
            "price": "60000.0100000000000000",
            "size": "0.1234560000000000",
            "orderType": "limit",
            "side": side,
            "status": status,
            "priceAvg": "60000.00",
            "baseVolume": filled,
            "quoteVolume": "0",
            "enterPointSource": "API",
            "feeDetail": "",
            "orderSource": "normal",
            "cTime": str(NOW_MS),
            "uTime": str(NOW_MS + 5),
        }
    ]


def spot_fill(number: int, qty: str, px: str = "60000.00", order: str = "121") -> dict[str, Any]:
    """Return a row of `fills`: a buy, its fee of 0.1 % in BTC."""
    fee = Decimal(qty) * Decimal("0.001")
    return {
        "userId": "7",
        "symbol": "BTCUSDT",
        "orderId": order,
        "tradeId": str(number),
        "orderType": "limit",
        "side": "buy",
        "priceAvg": px,
        "size": qty,
        "amount": str(Decimal(qty) * Decimal(px)),
        "feeDetail": {"deduction": "no", "feeCoin": "BTC", "totalDeductionFee": "", "totalFee": str(-fee)},
        "tradeScope": "taker",
        "cTime": str(NOW_MS + 3),
        "uTime": str(NOW_MS + 3),
    }


def overlay(name: str) -> Any:
    """Return a shipped venue overlay."""
    return json.loads((CONFIG / f"venue-{name}.json").read_text())


def client(venue: FakeBitget, market: Any = "spot") -> Any:
    """Return our client as the shipped overlay configures it, answered by `venue`."""
    settings = read_config(overlay("bitget")["hedge_leg"]).exchange
    found = build_client(
        settings.name, KEYS, settings.ccxt_config, market=market, timeout_ms=settings.timeout_ms
    )
    found.session = Wire(venue)
    found.enableRateLimit = False
    return found

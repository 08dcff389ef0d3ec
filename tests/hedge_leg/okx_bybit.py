"""Answers of OKX and Bybit, as their API documentation shows them, for tests without a network."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.credentials import Credentials
from tests.hedge_leg.wire import Reply, Sent, Wire

KEYS = Credentials("key-1", "secret-1", "pass-1")
NOW_MS = 1_700_000_000_000
_OKX = {"baseCcy": "", "quoteCcy": "", "settleCcy": "", "ctVal": "", "ctType": "", "ctMult": "", "lever": ""}
_OKX |= {"state": "live", "listTime": "1548133413000", "expTime": "", "uly": "", "maxLmtSz": "9999999"}
OKX_SPOT = _OKX | {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT"}
OKX_SPOT |= {"tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001"}
OKX_SWAP = _OKX | {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "settleCcy": "USDT", "ctVal": "0.01"}
OKX_SWAP |= {"ctMult": "1", "ctValCcy": "BTC", "ctType": "linear", "uly": "BTC-USDT", "lever": "100"}
OKX_SWAP |= {"tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01"}
OKX_ACCOUNT = {"acctLv": "2", "posMode": "net_mode", "perm": "read_only,trade", "autoLoan": False, "uid": "7"}
BYBIT_SPOT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "status": "Trading",
    "innovation": "0",
}
BYBIT_SPOT |= {
    "lotSizeFilter": {
        "basePrecision": "0.000001",
        "quotePrecision": "0.00000001",
        "minOrderQty": "0.000011",
        "maxOrderQty": "83",
        "minOrderAmt": "5",
        "maxOrderAmt": "8000000",
    },
    "priceFilter": {"tickSize": "0.01"},
}
BYBIT_SWAP: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "contractType": "LinearPerpetual",
    "status": "Trading",
    "baseCoin": "BTC",
}
BYBIT_SWAP |= {"quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0"}
BYBIT_SWAP |= {
    "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
    "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
    "lotSizeFilter": {
        "maxOrderQty": "1190",
        "minOrderQty": "0.001",
        "qtyStep": "0.001",
        "minNotionalValue": "5",
    },
}
BYBIT_KEY = {"readOnly": 0, "permissions": {"Spot": ["SpotTrade"], "ContractTrade": ["Order", "Position"]}}


def okx(data: Any, code: str = "0") -> Reply:
    """Return an answer of OKX."""
    return 200, json.dumps({"code": code, "msg": "", "data": data})


def bybit(result: Any, code: int = 0) -> Reply:
    """Return an answer of Bybit."""
    return 200, json.dumps({"retCode": code, "retMsg": "OK", "result": result, "time": NOW_MS})


@dataclass
class Fake:
    """Answers by path; `replies`: what a test wants said, a value or a function of the parameters."""

    exchange: str
    replies: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, sent: Sent) -> Reply:
        """Answer a request."""
        parts = urlsplit(sent.url)
        params: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(sent.body) if sent.body else {}
        params |= body[0] if isinstance(body, list) else body
        self.asked.append((sent.method, parts.path, params))
        reply = self.replies.get(parts.path, _KNOWN[self.exchange].get(parts.path))
        if callable(reply):
            reply = reply(params)
        if reply is None:
            return 404, "{}"
        return reply if isinstance(reply, tuple | Exception) else _TELL[self.exchange](reply)

    def posts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what was sent to change something."""
        return [(path, params) for method, path, params in self.asked if method != "GET"]


def _okx_instruments(params: dict[str, Any]) -> Any:
    return {"SPOT": [OKX_SPOT], "SWAP": [OKX_SWAP]}.get(params["instType"], [])


def _bybit_instruments(params: dict[str, Any]) -> Any:
    rows = {"spot": [BYBIT_SPOT], "linear": [BYBIT_SWAP]}.get(params["category"], [])
    return {"category": params["category"], "list": rows, "nextPageCursor": ""}


_TELL: dict[str, Callable[[Any], Reply]] = {"okx": okx, "bybit": bybit}
_KNOWN: dict[str, dict[str, Any]] = {
    "okx": {
        "/api/v5/public/time": [{"ts": str(NOW_MS)}],
        "/api/v5/public/instruments": _okx_instruments,
        "/api/v5/asset/currencies": [],
        "/api/v5/account/config": [OKX_ACCOUNT],
        "/api/v5/account/balance": [{"details": [], "uTime": str(NOW_MS)}],
        "/api/v5/account/positions": [],
    },
    "bybit": {
        "/v5/market/time": {"timeSecond": str(NOW_MS // 1000), "timeNano": str(NOW_MS * 1_000_000)},
        "/v5/market/instruments-info": _bybit_instruments,
        "/v5/asset/coin/query-info": {"rows": []},
        "/v5/user/query-api": BYBIT_KEY,
        "/v5/account/info": {"unifiedMarginStatus": 5, "marginMode": "ISOLATED_MARGIN"},
        "/v5/account/wallet-balance": {"list": [{"accountType": "UNIFIED", "coin": []}]},
        "/v5/position/list": {"list": [{"symbol": "BTCUSDT", "positionIdx": 0, "size": "0"}]},
    },
}


def client(venue: Fake, market: Any = "spot") -> Any:
    """Return our client answered by `venue`."""
    found = build_client(venue.exchange, KEYS, market=market)
    found.session = Wire(venue)
    found.enableRateLimit = False
    return found

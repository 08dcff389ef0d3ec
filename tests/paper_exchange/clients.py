"""How a client is pointed at the exchange: what user_data/config/paper.json holds for port 8411."""

import hmac
from typing import Any
from urllib.parse import urlencode

import ccxt
import httpx

from paper_exchange.clock import MarketClock
from paper_exchange.signing import REHEARSAL

PATHS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
}


def ccxt_config(url: str) -> dict[str, object]:
    """Return ccxt's options for an exchange at `url`."""
    return {
        "options": {"fetchMarkets": {"types": ["spot", "linear"]}},
        "urls": {"api": {name: url + path for name, path in PATHS.items()}},
    }


def signed_client(url: str, clock: MarketClock, **overrides: object) -> Any:
    """Return ccxt with the rehearsal key, its nonce following the exchange's clock."""
    keys = {"apiKey": REHEARSAL.key, "secret": REHEARSAL.secret, "enableRateLimit": False}
    client = ccxt.binance(ccxt_config(url) | keys | overrides)
    client.nonce = clock.now_ms
    return client


def sign(params: dict[str, object], secret: str = REHEARSAL.secret) -> str:
    """Return the query with its signature, worked out without the exchange's own code."""
    query = urlencode(params)
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), 'sha256').hexdigest()}"


def send(
    url: str, method: str, query: str, key: str | None = REHEARSAL.key, timeout: float = 5.0
) -> httpx.Response:
    """Send a query as it stands, with the API key's header."""
    headers = {} if key is None else {"X-MBX-APIKEY": key}
    return httpx.request(method, f"{url}?{query}", headers=headers, timeout=timeout)

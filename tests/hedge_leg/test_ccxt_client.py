"""How clients are built: merged settings, keys from nowhere else, what the adapters rely on."""

from typing import Any

import pytest

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.credentials import Credentials

KEYS = Credentials("key-1", "secret-1", "pass-1", "uid-1")


def test_settings_are_merged_not_replaced() -> None:
    config = {
        "enableRateLimit": False,
        "options": {"adjustForTimeDifference": False, "own": 1},
        "urls": {"api": {"public": "http://127.0.0.1:1/api/v3"}},
    }
    client = build_client("binance", KEYS, config)
    assert not client.enableRateLimit
    assert (client.options["adjustForTimeDifference"], client.options["own"]) == (False, 1)
    assert client.urls["api"]["public"] == "http://127.0.0.1:1/api/v3"
    assert client.urls["api"]["private"].startswith("https://api.binance.com")
    assert config["options"] == {"adjustForTimeDifference": False, "own": 1}, "left as it was"


def test_what_the_adapters_rely_on_cannot_be_configured_away() -> None:
    config: dict[str, Any] = {
        "timeout": 60_000,
        "apiKey": "other",
        "secret": "other",
        "options": {"defaultType": "swap", "recvWindow": 60_000, "newOrderRespType": {"limit": "ACK"}},
    }
    client = build_client("binance", KEYS, config, timeout_ms=3_000)
    assert (client.timeout, client.options["recvWindow"]) == (3_000, 3_000)
    assert (client.options["defaultType"], client.options["newOrderRespType"]["limit"]) == ("spot", "FULL")
    assert (client.apiKey, client.secret, client.uid) == ("key-1", "secret-1", "uid-1")
    assert build_client("bitget", KEYS, {"options": {"uta": True}}).options["uta"] is False


def test_public_client_has_no_keys_at_all() -> None:
    client = build_client("binance", None, {"apiKey": "other", "secret": "other"})
    assert not client.apiKey
    assert not client.secret


@pytest.mark.parametrize("exchange", ["binance", "bitget", "bybit", "gate", "kraken"])
def test_any_exchange_of_ccxt_can_be_built(exchange: str) -> None:
    assert build_client(exchange, KEYS).id == exchange

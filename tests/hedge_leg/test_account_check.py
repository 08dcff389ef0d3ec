"""What an account must be like: on the paper exchange with real ccxt, and on answers it never gives."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from hedge_leg.adapters.account_check import check_account
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.errors import ConfigError, VenueUnavailable
from paper_exchange.account import Account
from paper_exchange.store import CandleStore
from tests.hedge_leg.venues import KEYS, client_on
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms, serving

PAIRS = [("BTC/USDT:USDT", "BTC/USDT"), ("SOL/USDT:USDT", "SOL/USDT")]


class Rig:
    """Two clients of the exchange; `say` replaces answers by the path's ending."""

    def __init__(self, exchange: RunningExchange, keys: Credentials | None = None) -> None:
        self.spot = client_on(exchange, "spot", keys or KEYS)
        self.perp = client_on(exchange, "swap", keys or KEYS)
        self.replies: dict[str, tuple[int, Any]] = {}
        for client in (self.spot, self.perp):
            client.session = Session(client.session, self.replies)

    def findings(self, pairs: Any = PAIRS, **options: Any) -> list[str]:
        try:
            check_account(self.spot, self.perp, pairs, **options)
        except ConfigError as error:
            return str(error).splitlines()
        return []


class Session:
    """A session whose answers a test overrides."""

    def __init__(self, real: requests.Session, replies: dict[str, tuple[int, Any]]) -> None:
        self.real = real
        self.replies = replies
        self.cookies = real.cookies
        self.headers = real.headers

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        for ending, (status, body) in self.replies.items():
            if urlsplit(url).path.endswith(ending):
                response = requests.Response()
                response.status_code, response.url, response.reason = status, url, "because"
                response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
                return response
        return self.real.request(method, url, **options)

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def rig(fresh: RunningExchange) -> Rig:
    return Rig(fresh)


def test_good_account_has_no_findings(rig: Rig) -> None:
    assert rig.findings() == []
    check_account(rig.spot, None, PAIRS)


def test_wrong_keys_are_named_and_never_shown(fresh: RunningExchange) -> None:
    wrong_secret = Rig(fresh, Credentials("paper-exchange-key", "not-the-secret")).findings()
    assert len(wrong_secret) == 2
    assert all("the API key or its secret is wrong" in line for line in wrong_secret)
    wrong_key = Rig(fresh, Credentials("not-the-key", "not-the-secret")).findings()
    assert [line.split(":")[0] for line in wrong_key] == ["binance spot", "binance futures"]
    assert all("(-2015)" in line for line in wrong_key)
    for line in wrong_secret + wrong_key:
        assert "not-the" not in line


def test_missing_markets_are_named(rig: Rig) -> None:
    found = rig.findings([("NOPE/USDT:USDT", "BTC/USDT"), ("BTC/USDT:USDT", "NOPE/USDT")])
    assert any("no spot market NOPE/USDT for BTC/USDT:USDT" in line for line in found)
    assert any("no perpetual NOPE/USDT:USDT" in line for line in found)
    assert len(found) == 2


def test_legs_of_another_coin_or_quote_are_named(rig: Rig) -> None:
    found = rig.findings([("BTC/USDT:USDT", "SOL/USDT")])
    assert found == ["BTC/USDT:USDT is BTC, SOL/USDT is SOL: a hedge needs the same coin"]
    rig.spot.load_markets()
    rig.spot.markets["SOL/USDT"] = rig.spot.markets["SOL/USDT"] | {"base": "BTC", "quote": "USDC"}
    [line] = rig.findings([("BTC/USDT:USDT", "SOL/USDT")])
    assert "quoted in USDT" in line
    assert "in USDC: use one quote" in line


@pytest.mark.parametrize(
    ("ending", "body", "text"),
    [
        ("/positionSide/dual", {"dualSidePosition": True}, "hedge mode"),
        ("/multiAssetsMargin", {"multiAssetsMargin": True}, "multi-assets mode"),
        ("/apiRestrictions", {"enableFutures": False}, "may not trade futures: enable"),
        ("/apiRestrictions", {"enableSpotAndMarginTrading": False}, "enable spot trading"),
        ("/v3/account", {"canTrade": False, "balances": []}, "spot: the account may not trade"),
    ],
)
def test_modes_and_permissions_are_named(rig: Rig, ending: str, body: Any, text: str) -> None:
    if ending == "/v3/account":
        ending = "/api/v3/account"
    rig.replies[ending] = (200, body)
    [line] = rig.findings()
    assert text in line


def test_modes_of_a_real_account_are_named(sample_datadir: Path, sample_store: CandleStore) -> None:
    account = Account.funded(at_ms(NOW), hedge_mode=True, multi_assets=True)
    with serving(sample_datadir, sample_store, account) as running:
        found = Rig(running).findings()
    assert len(found) == 2
    assert "multi-assets mode is on" in found[0]
    assert "hedge mode" in found[1]


def test_portfolio_margin_is_refused(rig: Rig) -> None:
    rig.perp.options["portfolioMargin"] = True
    [line] = rig.findings()
    assert "portfolio margin" in line


def test_margin_mode_matters_only_with_a_position(rig: Rig) -> None:
    assert rig.findings(margin_mode="isolated") == []
    rig.perp.create_order("BTC/USDT:USDT", "market", "sell", "0.1")
    [line] = rig.findings(margin_mode="isolated")
    assert "BTC/USDT:USDT has a position with cross margin, not isolated" in line
    assert rig.findings(margin_mode="cross") == []


@pytest.mark.parametrize(
    "reply",
    [
        (502, "<html>"),
        (503, {"code": -1000, "msg": "unknown"}),
        (429, {"code": -1003, "msg": "too many"}),
        (400, {"code": -1021, "msg": "late"}),
        (200, ""),
    ],
)
@pytest.mark.parametrize(
    "ending", ["/api/v3/account", "/fapi/v3/account", "/exchangeInfo", "/positionSide/dual"]
)
def test_exchange_that_does_not_answer_is_no_finding(rig: Rig, ending: str, reply: tuple[int, Any]) -> None:
    rig.replies[ending] = reply
    with pytest.raises(VenueUnavailable):
        rig.findings()

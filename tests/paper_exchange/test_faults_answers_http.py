"""Faults of the answer: errors, refusals, orders not found, stale reads; and the control endpoint.

ccxt looks up its market-specific exceptions by Binance's host names, so that some codes are a plain
`ExchangeError` here: -1008, -2019.
"""

from typing import Any

import ccxt
import httpx
import pytest

from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, PERP_ORDER, SPOT, SPOT_ORDER, Rehearsal

TAKEN = ["taken", "filled"]


@pytest.fixture
def rehearsal(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


@pytest.mark.parametrize(
    ("venue", "preset", "error"),
    [
        (SPOT, "spot-1001", ccxt.OperationFailed),
        (SPOT, "spot-1006", ccxt.OperationFailed),
        (SPOT, "spot-1007", ccxt.RequestTimeout),
        (SPOT, "spot-1008", ccxt.ExchangeError),
        (SPOT, "spot-1013", ccxt.MarketClosed),
        (SPOT, "spot-1021", ccxt.InvalidNonce),
        (SPOT, "spot-2010", ccxt.InsufficientFunds),
        (SPOT, "spot-429", ccxt.DDoSProtection),
        (SPOT, "spot-418", ccxt.DDoSProtection),
        (SPOT, "spot-502", ccxt.ExchangeNotAvailable),
        (SPOT, "spot-503", ccxt.ExchangeNotAvailable),
        (SPOT, "spot-504", ccxt.NetworkError),
        (PERP, "usdm-503-unknown", ccxt.ExchangeNotAvailable),
        (PERP, "usdm-503-unavailable", ccxt.ExchangeNotAvailable),
        (PERP, "usdm-503-internal", ccxt.OperationFailed),
        (PERP, "usdm-1008", ccxt.ExchangeError),
        (PERP, "usdm-2019", ccxt.ExchangeError),
        (PERP, "usdm-2022", ccxt.ExchangeError),
        (PERP, "usdm-4164", ccxt.ExchangeError),
    ],
)
@pytest.mark.parametrize("kind", ["error_before", "error_after"])
def test_error_says_nothing_about_what_happened(
    rehearsal: Rehearsal, venue: str, preset: str, error: type[Exception], kind: str
) -> None:
    rehearsal.plan({"kind": kind, "preset": preset}, path="*/order", method="POST")
    with pytest.raises(error):
        rehearsal.buy(venue=venue)
    assert rehearsal.told() == (["error_before!"] if kind == "error_before" else ["error_after", *TAKEN])


def test_error_of_one_s_own(rehearsal: Rehearsal) -> None:
    fault = {"kind": "error_before", "status": 429, "code": -1003, "msg": "Slow.", "retry_after_s": 7}
    rehearsal.plan(fault, path="/fapi/v3/account")
    answer = rehearsal.ask("GET", "/fapi/v3/account")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json() == {"code": -1003, "msg": "Slow."}
    assert "x-mbx-used-weight-1m" in answer.headers
    assert rehearsal.ask("GET", "/fapi/v3/account").status_code == 200


def test_refused_order_is_told_as_refused(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "refuse", "preset": "usdm-2019"}, path=PERP_ORDER)
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        rehearsal.buy(venue=PERP)
    fault, refused = rehearsal.audit()
    assert (fault["kind"], fault["handled"]) == ("refuse", False)
    assert [refused[name] for name in ("event", "venue", "client_id", "side", "qty", "code")] == [
        *("refused", "perp", "mine", "BUY", "0.1", -2019),
    ]


@pytest.mark.parametrize(("venue", "path"), [(SPOT, SPOT_ORDER), (PERP, PERP_ORDER)])
def test_order_is_not_found_and_then_found(rehearsal: Rehearsal, venue: str, path: str) -> None:
    rehearsal.buy(venue=venue)
    rehearsal.plan("not_found", path=path, client_id="mine", times=2)
    for _ in range(2):
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            rehearsal.client.fetch_order(None, venue, {"origClientOrderId": "mine"})
    assert rehearsal.client.fetch_order(None, venue, {"origClientOrderId": "mine"})["status"] == "closed"
    assert rehearsal.told() == [*TAKEN, "not_found!", "not_found!"]


def test_orders_and_trades_are_hidden_from_lists_for_a_while(rehearsal: Rehearsal) -> None:
    client, now_ms = rehearsal.client, rehearsal.exchange.clock.now_ms()
    rehearsal.buy()
    client.create_limit_buy_order(SPOT, 0.1, 15_000)
    rehearsal.plan("not_found", path="/api/v3/*", until_ms=now_ms + 1_000, times=None)

    def seen() -> list[int]:
        lists = (client.fetch_open_orders, client.fetch_orders, client.fetch_my_trades)
        return [len(read(SPOT)) for read in lists]

    assert seen() == [0, 0, 0]
    assert client.fetch_balance()["BTC"]["total"] > 0
    rehearsal.exchange.clock.advance_ms(1_000)
    assert seen() == [1, 2, 1]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/api/v3/account", lambda client: client.fetch_balance()["USDT"]["free"]),
        ("/fapi/v?/positionRisk", lambda client: len(client.fetch_positions([PERP]))),
        ("/fapi/v?/account", lambda client: client.fapiprivatev3_get_account()["totalMarginBalance"]),
        ("/api/v3/myTrades", lambda client: len(client.fetch_my_trades(SPOT))),
    ],
)
def test_stale_read_shows_the_state_before(rehearsal: Rehearsal, path: str, read: Any) -> None:
    before = read(rehearsal.client)
    rehearsal.buy(venue=SPOT)
    rehearsal.buy(venue=PERP)
    rehearsal.plan("stale", path=path, times=2)
    rehearsal.exchange.clock.advance_ms(1)
    assert [read(rehearsal.client), read(rehearsal.client)] == [before, before]
    assert read(rehearsal.client) != before
    assert rehearsal.told()[-2:] == ["stale!", "stale!"]


def test_stale_read_without_an_earlier_one_is_fresh(rehearsal: Rehearsal) -> None:
    rehearsal.buy()
    rehearsal.plan("stale", path=SPOT_ORDER, times=None)
    assert rehearsal.client.fetch_order("1", SPOT)["status"] == "closed"
    assert rehearsal.told() == [*TAKEN, "stale"]


def test_rules_are_added_replaced_counted_and_cleared(rehearsal: Rehearsal) -> None:
    one = {"match": {"path": "/api/v3/time"}, "fault": {"kind": "error_before", "preset": "spot-1001"}}
    rehearsal.post("faults", {"rules": [one]})
    found = rehearsal.post("faults", {"rules": [one]})
    assert [row["index"] for row in found["rules"]] == [0, 1]
    assert [rehearsal.exchange.get("/api/v3/time").status_code for _ in range(3)] == [503, 503, 200]
    assert rehearsal.counts() == [(3, 1), (3, 1)]
    assert rehearsal.post("faults", {"rules": [one], "replace": True})["rules"][0]["matched"] == 0
    left = httpx.delete(f"{rehearsal.exchange.url}/_control/faults").json()
    assert left == {"rules": [], "state": {"skew_ms": 0, "halted": []}}
    assert rehearsal.exchange.get("/api/v3/time").status_code == 200


@pytest.mark.parametrize("body", ['{"rules": [{"fault": "explode"}]}', "{", '{"rule": []}'])
def test_posted_mistake_is_one_line_and_changes_nothing(rehearsal: Rehearsal, body: str) -> None:
    rehearsal.plan("duplicate")
    answer = httpx.post(f"{rehearsal.exchange.url}/_control/faults", content=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == -1130
    assert "\n" not in answer.json()["msg"]
    assert len(rehearsal.counts()) == 1

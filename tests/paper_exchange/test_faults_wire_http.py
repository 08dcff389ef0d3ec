"""Faults of the connection: lost, late, cut, doubled, unreadable. What the client saw, and what happened."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ccxt
import httpx
import pytest

from paper_exchange.signing import REHEARSAL
from tests.paper_exchange.clients import sign
from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, PERP_ORDER, SPOT, SPOT_ORDER, Rehearsal

TAKEN = ["taken", "filled"]


@pytest.fixture
def rehearsal(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


def signed_order(rehearsal: Rehearsal) -> str:
    """Return the address of a signed market order."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    query = sign(order | {"timestamp": rehearsal.exchange.clock.now_ms()})
    return f"{rehearsal.exchange.url}{SPOT_ORDER}?{query}"


@pytest.mark.parametrize(("venue", "path"), [(SPOT, SPOT_ORDER), (PERP, PERP_ORDER)])
def test_lost_request_leaves_no_order(rehearsal: Rehearsal, venue: str, path: str) -> None:
    rehearsal.plan("lose_request", path=path, method="POST")
    with pytest.raises(ccxt.NetworkError):
        rehearsal.buy(venue=venue)
    assert rehearsal.told() == ["lose_request!"]
    rehearsal.buy(venue=venue)
    assert rehearsal.told() == ["lose_request!", *TAKEN]


@pytest.mark.parametrize(("venue", "path"), [(SPOT, SPOT_ORDER), (PERP, PERP_ORDER)])
def test_lost_answer_leaves_a_filled_order(rehearsal: Rehearsal, venue: str, path: str) -> None:
    rehearsal.plan("lose_answer", path=path, client_id="mi*")
    with pytest.raises(ccxt.NetworkError):
        rehearsal.buy(venue=venue)
    assert rehearsal.told() == ["lose_answer", *TAKEN]
    fault = rehearsal.audit()[0]
    assert (fault["rule"], fault["method"], fault["path"], fault["client_id"], fault["symbol"]) == (
        *(0, "POST", path),
        *("mine", "BTCUSDT"),
    )
    found = rehearsal.client.fetch_order(None, venue, {"origClientOrderId": "mine"})
    assert found["status"] == "closed"
    assert rehearsal.counts() == [(2, 1)]


def test_time_out_of_an_accepted_order(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "lose_answer", "hold_ms": 5_000}, path=PERP_ORDER)
    rehearsal.client.timeout = 200
    with pytest.raises(ccxt.RequestTimeout):
        rehearsal.buy(venue=PERP)
    assert rehearsal.told() == ["lose_answer", *TAKEN]


def test_held_request_is_handled_late_while_others_are_served(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "hold", "hold_ms": 600}, path=SPOT_ORDER)
    params: dict[str, Any] = {"side": "BUY", "type": "MARKET", "quantity": "0.1"}
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(rehearsal.ask, "POST", SPOT_ORDER, **params)
        time.sleep(0.2)
        assert rehearsal.told() == []
        assert rehearsal.exchange.get("/api/v3/time").status_code == 200
        assert not late.done()
        assert late.result().json()["status"] == "FILLED"
    assert rehearsal.told() == ["hold", *TAKEN]


@pytest.mark.parametrize(("if_gone", "told"), [("drop", ["hold!"]), ("handle", ["hold", "taken", "filled"])])
def test_held_request_of_a_client_that_hung_up(rehearsal: Rehearsal, if_gone: str, told: list[str]) -> None:
    rehearsal.plan({"kind": "hold", "hold_ms": 300, "if_gone": if_gone}, path=SPOT_ORDER)
    with pytest.raises(httpx.ReadTimeout):
        rehearsal.ask("POST", SPOT_ORDER, timeout=0.1, side="BUY", type="MARKET", quantity="0.1")
    until = time.monotonic() + 5
    while not rehearsal.told() and time.monotonic() < until:
        time.sleep(0.02)
    assert rehearsal.told() == told


def test_delayed_answer_belongs_to_an_order_that_is_there_already(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "delay_answer", "hold_ms": 500}, path=SPOT_ORDER, method="POST")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(rehearsal.buy)
        until = time.monotonic() + 5
        while not rehearsal.told() and time.monotonic() < until:
            time.sleep(0.02)
        assert not late.done()
        assert rehearsal.told() == ["delay_answer", *TAKEN]
        assert late.result()["status"] == "closed"


@pytest.mark.parametrize("form", ["truncated", "html"])
@pytest.mark.parametrize("handled", [True, False])
def test_unparsable_answer(rehearsal: Rehearsal, form: str, handled: bool) -> None:
    rehearsal.plan({"kind": "unparsable", "handled": handled, "form": form}, path=SPOT_ORDER)
    answer = rehearsal.ask("POST", SPOT_ORDER, side="BUY", type="MARKET", quantity="0.1")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()
    assert answer.text.startswith("<" if form == "html" else '{"symbol":"BTCUSDT","orderId":')
    assert rehearsal.told() == (["unparsable", *TAKEN] if handled else ["unparsable!"])


def test_connection_dropped_in_the_middle_of_an_answer(rehearsal: Rehearsal) -> None:
    rehearsal.plan("drop_mid_answer", path=SPOT_ORDER)
    keys = {"X-MBX-APIKEY": REHEARSAL.key}
    with (
        httpx.stream("POST", signed_order(rehearsal), headers=keys) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        assert answer.status_code == 200
        answer.read()
    assert rehearsal.told() == ["drop_mid_answer", *TAKEN]
    rehearsal.plan("drop_mid_answer", path=SPOT_ORDER)
    with pytest.raises(ccxt.NetworkError):
        rehearsal.buy()


def test_doubled_market_order_fills_twice(rehearsal: Rehearsal) -> None:
    rehearsal.plan("duplicate", path=SPOT_ORDER, method="POST")
    bought = rehearsal.buy(0.1)
    assert bought["id"] == "2"
    assert rehearsal.told() == ["duplicate", *TAKEN, *TAKEN]
    assert rehearsal.client.fetch_balance()["BTC"]["total"] == pytest.approx(0.1998)


def test_doubled_resting_order_is_refused_the_second_time(rehearsal: Rehearsal) -> None:
    rehearsal.plan("duplicate", path=SPOT_ORDER, method="POST")
    with pytest.raises(ccxt.ExchangeError, match="Duplicate order sent"):
        rehearsal.client.create_limit_buy_order(SPOT, 0.1, 15_000, {"newClientOrderId": "mine"})
    assert rehearsal.told() == ["duplicate", "taken", "refused"]


def test_connection_goes_on_after_a_fault(rehearsal: Rehearsal) -> None:
    rehearsal.plan("lose_answer", path="/api/v3/account", calls=[2])
    with httpx.Client(base_url=rehearsal.exchange.url) as client:
        assert client.get("/api/v3/ping").status_code == 200
        for lost in (False, True, False):
            if lost:
                with pytest.raises(httpx.RemoteProtocolError):
                    client.get("/api/v3/account")
            else:
                assert client.get("/api/v3/account").status_code == 401

"""Rate limits over HTTP: as a fault, and as Binance documents them."""

from collections.abc import Iterator
from pathlib import Path

import ccxt
import httpx
import pytest

from paper_exchange.store import CandleStore
from tests.paper_exchange.conftest import RunningExchange, serving
from tests.paper_exchange.rehearsal import SPOT_ORDER, Rehearsal


@pytest.fixture
def rehearsal(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


@pytest.fixture
def strict(sample_datadir: Path, sample_store: CandleStore) -> Iterator[RunningExchange]:
    with serving(sample_datadir, sample_store, enforce_limits=True) as running:
        yield running


def test_limited_market_refuses_everything_until_the_wait_is_over(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "rate_limit", "retry_after_s": 10, "patience": None}, path=SPOT_ORDER)
    with pytest.raises(ccxt.DDoSProtection):
        rehearsal.buy()
    assert rehearsal.told() == ["rate_limit!"]
    for path, status in (("/api/v3/ping", 429), ("/fapi/v1/ping", 200)):
        assert rehearsal.exchange.get(path).status_code == status
    rehearsal.exchange.clock.advance_ms(9_001)
    answer = rehearsal.exchange.get("/api/v3/time")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, -1003, "1")
    rehearsal.exchange.clock.advance_ms(999)
    assert rehearsal.buy()["status"] == "closed"


def test_client_that_goes_on_asking_is_banned(rehearsal: Rehearsal) -> None:
    fault = {"kind": "rate_limit", "retry_after_s": 10, "patience": 2, "ban_s": 300}
    rehearsal.plan(fault, path="/api/v3/ping")
    answers = [rehearsal.exchange.get("/api/v3/ping") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 429, 429, 418, 418]
    assert answers[-1].headers["retry-after"] == "300"
    ban_ms = rehearsal.exchange.clock.now_ms() + 300_000
    assert f"IP banned until {ban_ms}." in answers[-1].json()["msg"]
    rehearsal.exchange.clock.advance_ms(299_999)
    assert rehearsal.exchange.get("/api/v3/ping").status_code == 418
    httpx.delete(f"{rehearsal.exchange.url}/_control/faults")
    assert rehearsal.exchange.get("/api/v3/ping").status_code == 200


@pytest.mark.parametrize(("path", "weight", "most"), [("/api/v3", 80, 6_000), ("/fapi/v1", 40, 2_400)])
def test_weight_beyond_the_limit_is_refused_until_the_minute_is_over(
    strict: RunningExchange, path: str, weight: int, most: int
) -> None:
    with httpx.Client(base_url=strict.url) as client:
        one = {"symbol": "BTCUSDT"}
        answers = [client.get(f"{path}/ticker/24hr", params=one) for _ in range(most // weight + 1)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert answers[-2].headers["x-mbx-used-weight-1m"] == str(most)
    assert f"current limit is {most} request weight" in answers[-1].json()["msg"]
    assert answers[-1].headers["retry-after"] == "30"
    strict.clock.advance_ms(30_000)
    assert strict.get(f"{path}/ping").status_code == 200


@pytest.mark.parametrize(("path", "most"), [("/api/v3/order", 100), ("/fapi/v1/order", 300)])
def test_orders_beyond_the_limit_of_ten_seconds_are_refused(
    strict: RunningExchange, path: str, most: int
) -> None:
    with httpx.Client(base_url=strict.url) as client:
        answers = [client.post(path) for _ in range(most + 1)]
        assert {answer.status_code for answer in answers[:-1]} == {401}
        assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, -1015)
        strict.clock.advance_ms(10_000)
        assert client.post(path).status_code == 401


def test_nothing_is_enforced_unless_it_is_asked_for(fresh: RunningExchange) -> None:
    with httpx.Client(base_url=fresh.url) as client:
        answers = [client.get("/fapi/v1/ticker/24hr", params={"symbol": "BTCUSDT"}) for _ in range(62)]
    assert {answer.status_code for answer in answers} == {200}

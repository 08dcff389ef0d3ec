"""What only USD-M has: mark, index and premium klines, funding; and the control endpoint that drives time."""

from datetime import timedelta
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.paper_exchange.conftest import NOW, START, RunningExchange, at_ms

HOUR_MS = 3_600_000
LAST_SETTLEMENT_MS = at_ms(NOW.replace(hour=8, minute=0, second=0))


def funding_file(exchange: RunningExchange, coin: str) -> pd.DataFrame:
    frame = pd.read_feather(exchange.datadir / f"futures/{coin}_USDT_USDT-1h-funding_rate.feather")
    frame["at_ms"] = frame["date"].astype("int64")
    return frame


def test_funding_history_is_the_stored_one_up_to_now(exchange: RunningExchange) -> None:
    found = exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=0, limit=1000).json()
    known = funding_file(exchange, "BTC").query("at_ms <= @LAST_SETTLEMENT_MS", local_dict=globals())
    assert [row["fundingTime"] for row in found] == known["at_ms"].tolist()
    assert [float(row["fundingRate"]) for row in found] == known["funding_rate"].tolist()
    assert {row["symbol"] for row in found} == {"BTCUSDT"}
    mark = pd.read_feather(exchange.datadir / "futures/BTC_USDT_USDT-1h-mark.feather")
    assert float(found[0]["markPrice"]) == mark["open"].iloc[0]


def test_funding_history_defaults_to_the_last_100_and_sorts_symbols_by_time(
    exchange: RunningExchange,
) -> None:
    one = exchange.get("/fapi/v1/fundingRate", symbol="SOLUSDT").json()
    assert len(one) == 100
    assert one[-1]["fundingTime"] == LAST_SETTLEMENT_MS
    every = exchange.get("/fapi/v1/fundingRate", limit=4).json()
    assert [row["symbol"] for row in every] == ["BTCUSDT", "SOLUSDT"] * 2
    assert [row["fundingTime"] for row in every] == sorted(row["fundingTime"] for row in every)


def test_funding_history_between_two_times(exchange: RunningExchange) -> None:
    start_ms = at_ms(START + timedelta(days=2))
    found = exchange.get(
        "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=start_ms, endTime=start_ms + 16 * HOUR_MS
    ).json()
    assert [row["fundingTime"] for row in found] == [start_ms + hours * HOUR_MS for hours in (0, 8, 16)]


def test_a_settlement_appears_the_moment_it_happens(exchange: RunningExchange) -> None:
    def latest() -> int:
        rows = exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=1).json()
        return int(rows[0]["fundingTime"])

    exchange.clock.set_ms(LAST_SETTLEMENT_MS + 8 * HOUR_MS - 1)
    assert latest() == LAST_SETTLEMENT_MS
    exchange.clock.advance_ms(1)
    assert latest() == LAST_SETTLEMENT_MS + 8 * HOUR_MS


def test_premium_index_shows_mark_index_and_the_last_settled_rate(exchange: RunningExchange) -> None:
    row = exchange.get("/fapi/v1/premiumIndex", symbol="BTCUSDT").json()
    spot = float(exchange.get("/api/v3/ticker/price", symbol="BTCUSDT").json()["price"])
    known = funding_file(exchange, "BTC").set_index("at_ms")
    assert float(row["indexPrice"]) == spot
    assert float(row["markPrice"]) == pytest.approx(spot, rel=0.003)
    assert float(row["lastFundingRate"]) == known.loc[LAST_SETTLEMENT_MS, "funding_rate"]
    assert row["nextFundingTime"] == LAST_SETTLEMENT_MS + 8 * HOUR_MS
    assert row["time"] == at_ms(NOW)
    every = exchange.get("/fapi/v1/premiumIndex").json()
    assert [item["symbol"] for item in every] == ["BTCUSDT", "SOLUSDT"]


def test_mark_price_equals_the_mark_candle_at_its_close(exchange: RunningExchange) -> None:
    mark = pd.read_feather(exchange.datadir / "futures/BTC_USDT_USDT-1h-mark.feather")
    hour_ms = at_ms(NOW) // HOUR_MS * HOUR_MS
    exchange.clock.set_ms(hour_ms)
    shown = float(exchange.get("/fapi/v1/premiumIndex", symbol="BTCUSDT").json()["markPrice"])
    closed = mark.loc[mark["date"].astype("int64") == hour_ms - HOUR_MS, "close"].iloc[0]
    assert shown == pytest.approx(closed, rel=2e-4)  # the perp opens a tick or so off its close


def test_mark_klines_are_the_stored_mark_candles(exchange: RunningExchange) -> None:
    found = exchange.get(
        "/fapi/v1/markPriceKlines", symbol="SOLUSDT", interval="1h", startTime=at_ms(START), limit=24
    ).json()
    mark = pd.read_feather(exchange.datadir / "futures/SOL_USDT_USDT-1h-mark.feather").head(24)
    assert [float(row[4]) for row in found] == mark["close"].tolist()
    assert {float(row[5]) for row in found} == {0.0}


def test_index_klines_take_a_pair_and_are_the_spot_candles_without_volume(exchange: RunningExchange) -> None:
    found = exchange.get("/fapi/v1/indexPriceKlines", pair="BTCUSDT", interval="1h", limit=3).json()
    spot = exchange.get("/api/v3/klines", symbol="BTCUSDT", interval="1h", limit=3).json()
    assert [row[:5] for row in found] == [row[:5] for row in spot]
    assert {float(row[5]) for row in found} == {0.0}
    missing = exchange.get("/fapi/v1/indexPriceKlines", symbol="BTCUSDT", interval="1h").json()
    assert missing["code"] == -1102
    assert "'pair'" in missing["msg"]


def test_premium_klines_are_perp_over_spot_minus_one(exchange: RunningExchange) -> None:
    asked: dict[str, Any] = {"symbol": "BTCUSDT", "interval": "1h", "limit": 5}
    premium = exchange.get("/fapi/v1/premiumIndexKlines", **asked).json()
    perp = exchange.get("/fapi/v1/klines", **asked).json()
    spot = exchange.get("/api/v3/klines", **asked).json()
    assert len(premium) == 5
    for row, perp_row, spot_row in zip(premium, perp, spot, strict=True):
        assert float(row[4]) == pytest.approx(float(perp_row[4]) / float(spot_row[4]) - 1, abs=1e-8)


def test_funding_info_gives_caps_and_interval(exchange: RunningExchange) -> None:
    rows = {row["symbol"]: row for row in exchange.get("/fapi/v1/fundingInfo").json()}
    assert float(rows["BTCUSDT"]["adjustedFundingRateCap"]) == 0.003
    assert float(rows["BTCUSDT"]["adjustedFundingRateFloor"]) == -0.003
    assert rows["SOLUSDT"]["fundingIntervalHours"] == 8


def test_before_the_first_candle_there_is_no_price(exchange: RunningExchange) -> None:
    exchange.clock.set_ms(at_ms(START) - 1)
    assert exchange.get("/fapi/v1/ticker/24hr").json() == []
    assert exchange.get("/fapi/v1/premiumIndex").json() == []
    assert exchange.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1h").json() == []
    assert exchange.get("/fapi/v1/depth", symbol="BTCUSDT").json()["bids"] == []


def test_after_the_data_the_last_price_stands(exchange: RunningExchange) -> None:
    closes = pd.read_feather(exchange.datadir / "futures/BTC_USDT_USDT-5m-futures.feather")["close"]
    exchange.clock.set_ms(at_ms(NOW + timedelta(days=30)))
    assert float(exchange.get("/fapi/v1/ticker/price", symbol="BTCUSDT").json()["price"]) == closes.iloc[-1]
    last = exchange.get("/fapi/v1/klines", symbol="BTCUSDT", interval="5m", limit=1).json()[0]
    assert float(last[4]) == closes.iloc[-1]


def test_clock_is_read_and_driven_over_http(exchange: RunningExchange) -> None:
    url = f"{exchange.url}/_control/clock"
    assert httpx.get(url).json() == {"now_ms": at_ms(NOW), "running": False}
    assert httpx.post(url, json={"advance_ms": 5_000}).json()["now_ms"] == at_ms(NOW) + 5_000
    assert httpx.post(url, json={"now_ms": at_ms(START)}).json()["now_ms"] == at_ms(START)
    assert exchange.get("/fapi/v1/time").json() == {"serverTime": at_ms(START)}
    assert httpx.post(url, json={"running": True}).json()["running"] is True


@pytest.mark.parametrize(
    "order", [{}, {"now_ms": 1, "advance_ms": 1}, {"now_ms": "soon"}, {"advance_ms": -1}, {"speed": 2}]
)
def test_bad_clock_orders_change_nothing(exchange: RunningExchange, order: dict[str, object]) -> None:
    answer = httpx.post(f"{exchange.url}/_control/clock", json=order)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "msg"}
    assert exchange.clock.now_ms() == at_ms(NOW)

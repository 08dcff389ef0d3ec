"""Shapes, limits and refusals of the public endpoints, over real HTTP."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.paper_exchange.conftest import NOW, START, RunningExchange, at_ms

HOUR_MS = 3_600_000
MARKETS = {"spot": "/api/v3", "perp": "/fapi/v1"}
FILES = {"spot": "{0}_USDT-{1}.feather", "perp": "futures/{0}_USDT_USDT-{1}-futures.feather"}
BTC_HOUR = {"symbol": "BTCUSDT", "interval": "1h"}
MISSING = "Mandatory parameter '{0}' was not sent, was empty/null, or malformed."
ILLEGAL = "Illegal characters found in parameter '{0}'; legal range is '^[0-9]{{1,20}}$'."
market = pytest.mark.parametrize("market", MARKETS)


def stored(exchange: RunningExchange, market: str, coin: str, timeframe: str) -> pd.DataFrame:
    frame = pd.read_feather(exchange.datadir / FILES[market].format(coin, timeframe))
    frame["open_ms"] = frame["date"].astype("int64")
    return frame


def rows(exchange: RunningExchange, path: str, **params: object) -> list[Any]:
    answer = exchange.get(path, **params)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, list)
    return found


@market
def test_ping_and_time(exchange: RunningExchange, market: str) -> None:
    assert exchange.get(f"{MARKETS[market]}/ping").json() == {}
    assert exchange.get(f"{MARKETS[market]}/time").json() == {"serverTime": at_ms(NOW)}


@market
@pytest.mark.parametrize("timeframe", ["5m", "15m", "1h"])
def test_closed_klines_are_the_stored_candles(exchange: RunningExchange, market: str, timeframe: str) -> None:
    asked = {"symbol": "SOLUSDT", "interval": timeframe, "startTime": at_ms(START), "limit": 1000}
    found = rows(exchange, f"{MARKETS[market]}/klines", **asked)
    frame = stored(exchange, market, "SOL", timeframe).head(len(found))
    step_ms = round(pd.Timedelta(timeframe).total_seconds() * 1000)
    closed = [row for row in found if row[6] < at_ms(NOW)]
    assert len(closed) >= 900
    assert [row[0] for row in closed] == frame["open_ms"].tolist()[: len(closed)]
    for column, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        assert [float(row[column]) for row in closed] == frame[name].tolist()[: len(closed)]
    assert all(len(row) == 12 for row in found)
    assert all(isinstance(row[position], str) for row in found for position in (1, 2, 3, 4, 5, 7, 9, 10, 11))
    assert {row[6] - row[0] for row in found} == {step_ms - 1}


@market
def test_default_limit_is_500_and_the_latest_candle_is_the_forming_one(
    exchange: RunningExchange, market: str
) -> None:
    found = rows(exchange, f"{MARKETS[market]}/klines", **BTC_HOUR)
    assert len(found) == 500
    assert found[-1][0] == at_ms(NOW) // HOUR_MS * HOUR_MS


@market
@pytest.mark.parametrize("interval", ["5m", "1h", "4h", "1d", "1w", "1M"])
def test_no_candle_of_the_future_whatever_is_asked(
    exchange: RunningExchange, market: str, interval: str
) -> None:
    late = at_ms(NOW + timedelta(days=4))
    found = rows(
        exchange, f"{MARKETS[market]}/klines", symbol="BTCUSDT", interval=interval, endTime=late, limit=5
    )
    assert found
    assert all(row[0] <= at_ms(NOW) for row in found)
    after = at_ms(NOW) + 1
    assert (
        rows(exchange, f"{MARKETS[market]}/klines", symbol="BTCUSDT", interval=interval, startTime=after)
        == []
    )


@market
def test_forming_candle_knows_only_what_has_happened(exchange: RunningExchange, market: str) -> None:
    def forming() -> list[Any]:
        return list(rows(exchange, f"{MARKETS[market]}/klines", limit=1, **BTC_HOUR)[0])

    fine = stored(exchange, market, "BTC", "5m").set_index("open_ms")
    hour_ms = at_ms(NOW) // HOUR_MS * HOUR_MS
    now_row = forming()
    first, second = fine.loc[[hour_ms, hour_ms + 300_000]].to_dict("records")  # NOW is in the second
    assert float(now_row[1]) == first["open"]
    assert float(now_row[2]) <= max(first["high"], second["high"])
    assert first["volume"] < float(now_row[5]) < first["volume"] + second["volume"]
    exchange.clock.set_ms(hour_ms + HOUR_MS - 1)
    nearly = forming()
    exchange.clock.set_ms(hour_ms + HOUR_MS)
    hours = stored(exchange, market, "BTC", "1h").set_index("open_ms")
    whole = hours.loc[[hour_ms], ["open", "high", "low", "close", "volume"]].to_numpy()[0].tolist()
    closed = rows(exchange, f"{MARKETS[market]}/klines", limit=2, **BTC_HOUR)[0]
    assert [float(value) for value in closed[1:6]] == whole
    assert float(now_row[5]) < float(nearly[5]) <= float(closed[5])


@market
def test_klines_between_two_times(exchange: RunningExchange, market: str) -> None:
    start_ms = at_ms(START) + 10 * HOUR_MS
    path = f"{MARKETS[market]}/klines"
    both = rows(exchange, path, startTime=start_ms, endTime=start_ms + 3 * HOUR_MS, **BTC_HOUR)
    assert [row[0] for row in both] == [start_ms + hour * HOUR_MS for hour in range(4)]
    first = rows(exchange, path, startTime=start_ms + 1, limit=2, **BTC_HOUR)
    assert [row[0] for row in first] == [start_ms + HOUR_MS, start_ms + 2 * HOUR_MS]
    last = rows(exchange, path, endTime=start_ms, limit=3, **BTC_HOUR)
    assert [row[0] for row in last] == [start_ms - 2 * HOUR_MS, start_ms - HOUR_MS, start_ms]


def test_limits_differ_between_spot_and_futures(exchange: RunningExchange) -> None:
    small = {"symbol": "BTCUSDT", "interval": "5m"}
    assert len(rows(exchange, "/api/v3/klines", limit=5000, **small)) == 1000
    assert len(rows(exchange, "/fapi/v1/klines", limit=1500, **small)) == 1500
    refused = exchange.get("/fapi/v1/klines", limit=1501, **small)
    assert (refused.status_code, refused.json()["code"]) == (400, -1130)


@market
@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"interval": "1h"}, -1102, MISSING.format("symbol")),
        ({"symbol": "BTCUSDT"}, -1102, MISSING.format("interval")),
        ({"symbol": "", "interval": "1h"}, -1102, MISSING.format("symbol")),
        ({"symbol": "NOPEUSDT", "interval": "1h"}, -1121, "Invalid symbol."),
        ({"symbol": "BTCUSDT", "interval": "7h"}, -1120, "Invalid interval."),
        ({**BTC_HOUR, "limit": "many"}, -1100, ILLEGAL.format("limit")),
        ({**BTC_HOUR, "startTime": "-5"}, -1100, ILLEGAL.format("startTime")),
        ({**BTC_HOUR, "limit": "0"}, -1130, "Data sent for parameter 'limit' is not valid."),
    ],
)
def test_bad_requests_get_binance_s_code_and_wording(
    exchange: RunningExchange, market: str, params: dict[str, str], code: int, message: str
) -> None:
    answer = exchange.get(f"{MARKETS[market]}/klines", **params)
    assert answer.status_code == 400
    assert answer.json() == {"code": code, "msg": message}


@pytest.mark.parametrize("path", ["/fapi/v1/nope", "/api/v3/orders", "/docs", "/"])
def test_unknown_paths_are_json_404(exchange: RunningExchange, path: str) -> None:
    answer = exchange.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == -5000


def test_huge_times_are_answered(exchange: RunningExchange) -> None:
    answer = exchange.get("/api/v3/klines", startTime="9" * 20, **BTC_HOUR)
    assert answer.status_code == 200
    assert answer.json() == []
    assert len(rows(exchange, "/api/v3/klines", endTime="9" * 20, limit=2, **BTC_HOUR)) == 2


@market
def test_exchange_info_lists_the_folder_s_symbols(exchange: RunningExchange, market: str) -> None:
    info = exchange.get(f"{MARKETS[market]}/exchangeInfo").json()
    assert {"BTCUSDT", "SOLUSDT"} <= {symbol["symbol"] for symbol in info["symbols"]}
    assert {symbol["status"] for symbol in info["symbols"]} == {"TRADING"}
    assert info["serverTime"] == at_ms(NOW)
    one = exchange.get(f"{MARKETS[market]}/exchangeInfo", symbol="SOLUSDT").json()
    assert [symbol["symbol"] for symbol in one["symbols"]] == ["SOLUSDT"]


@market
def test_tickers_agree_with_the_candles(exchange: RunningExchange, market: str) -> None:
    path = MARKETS[market]
    exchange.clock.set_ms(at_ms(NOW) // HOUR_MS * HOUR_MS)
    day = exchange.get(f"{path}/ticker/24hr", symbol="BTCUSDT").json()
    candles = stored(exchange, market, "BTC", "5m").set_index("open_ms")
    until = exchange.clock.now_ms()
    last_day = candles.loc[until - 24 * HOUR_MS : until - 1]
    assert float(day["openPrice"]) == last_day["open"].iloc[0]
    assert float(day["highPrice"]) == pytest.approx(last_day["high"].max(), rel=1e-3)
    assert float(day["volume"]) == pytest.approx(last_day["volume"].sum(), rel=1e-9)
    assert float(day["lastPrice"]) == candles.loc[until, "open"]
    assert float(exchange.get(f"{path}/ticker/price", symbol="BTCUSDT").json()["price"]) == float(
        day["lastPrice"]
    )
    every = exchange.get(f"{path}/ticker/24hr").json()
    assert [ticker["symbol"] for ticker in every] == ["BTCUSDT", "SOLUSDT"]
    assert exchange.get(f"{path}/ticker/24hr", symbol="NOPE").json()["code"] == -1121


@market
def test_book_ticker_and_depth_agree_around_the_last_price(exchange: RunningExchange, market: str) -> None:
    path = MARKETS[market]
    last = float(exchange.get(f"{path}/ticker/price", symbol="SOLUSDT").json()["price"])
    best = exchange.get(f"{path}/ticker/bookTicker", symbol="SOLUSDT").json()
    depth = exchange.get(f"{path}/depth", symbol="SOLUSDT", limit=20).json()
    assert [best["bidPrice"], best["bidQty"]] == depth["bids"][0]
    assert [best["askPrice"], best["askQty"]] == depth["asks"][0]
    assert float(best["bidPrice"]) <= last <= float(best["askPrice"])
    assert len(depth["bids"]) == len(depth["asks"]) == 20
    assert depth == exchange.get(f"{path}/depth", symbol="SOLUSDT", limit=20).json()


@market
def test_trades_are_found_again_by_id_and_time_and_none_is_of_the_future(
    exchange: RunningExchange, market: str
) -> None:
    path = f"{MARKETS[market]}/aggTrades"
    recent = rows(exchange, path, symbol="BTCUSDT", limit=50)
    assert len(recent) == 50
    ids = [trade["a"] for trade in recent]
    assert ids == sorted(set(ids))
    assert recent[-1]["T"] <= at_ms(NOW)
    assert rows(exchange, path, symbol="BTCUSDT", fromId=ids[7], limit=20) == recent[7:27]
    window = rows(exchange, path, symbol="BTCUSDT", startTime=recent[3]["T"], endTime=recent[9]["T"])
    assert window == recent[3:10]
    plain = rows(exchange, f"{MARKETS[market]}/trades", symbol="BTCUSDT", limit=50)
    assert [trade["id"] for trade in plain] == ids


@market
def test_used_weight_is_reported_and_grows(exchange: RunningExchange, market: str) -> None:
    exchange.clock.advance_ms(120_000)
    before = int(exchange.get(f"{MARKETS[market]}/time").headers["X-MBX-USED-WEIGHT-1M"])
    refused = exchange.get(f"{MARKETS[market]}/klines", symbol="NOPE", interval="1h")
    assert int(refused.headers["X-MBX-USED-WEIGHT-1M"]) == before + 2
    exchange.clock.advance_ms(60_000)
    assert exchange.get(f"{MARKETS[market]}/time").headers["X-MBX-USED-WEIGHT-1M"] == "1"

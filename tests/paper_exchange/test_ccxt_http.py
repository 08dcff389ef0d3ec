"""ccxt, unchanged, works against the exchange: the calls that freqtrade and the spot leg make."""

import asyncio
from typing import Any

import ccxt
import ccxt.async_support
import pandas as pd
import pytest

from tests.paper_exchange.clients import ccxt_config
from tests.paper_exchange.conftest import NOW, START, RunningExchange, at_ms

HOUR_MS = 3_600_000


@pytest.fixture
def client(exchange: RunningExchange) -> Any:
    return ccxt.binance(ccxt_config(exchange.url))


def candles(exchange: RunningExchange, name: str, count: int) -> list[list[float]]:
    """Return the first stored candles in ccxt's form."""
    frame = pd.read_feather(exchange.datadir / name).head(count)
    frame["date"] = frame["date"].astype("int64")
    return [list(row) for row in frame.itertuples(index=False)]


def test_markets_carry_binance_s_precision_and_limits(client: Any) -> None:
    markets = client.load_markets()
    assert {"BTC/USDT", "BTC/USDT:USDT", "SOL/USDT", "SOL/USDT:USDT"} <= set(markets)
    perp, spot = markets["BTC/USDT:USDT"], markets["BTC/USDT"]
    assert (perp["swap"], perp["linear"], perp["active"], perp["contractSize"]) == (True, True, True, 1.0)
    assert (perp["precision"]["price"], perp["precision"]["amount"]) == (0.1, 0.001)
    assert (perp["limits"]["cost"]["min"], spot["limits"]["cost"]["min"]) == (100.0, 10.0)
    assert (spot["precision"]["price"], spot["precision"]["amount"]) == (0.01, 0.00001)


@pytest.mark.parametrize(
    ("symbol", "timeframe", "params", "file"),
    [
        ("BTC/USDT", "5m", {}, "BTC_USDT-5m.feather"),
        ("BTC/USDT:USDT", "5m", {}, "futures/BTC_USDT_USDT-5m-futures.feather"),
        ("SOL/USDT:USDT", "1h", {}, "futures/SOL_USDT_USDT-1h-futures.feather"),
        ("SOL/USDT:USDT", "1h", {"price": "mark"}, "futures/SOL_USDT_USDT-1h-mark.feather"),
    ],
)
def test_ohlcv_equals_the_stored_candles(
    exchange: RunningExchange, client: Any, *, symbol: str, timeframe: str, params: dict[str, str], file: str
) -> None:
    found = client.fetch_ohlcv(symbol, timeframe, since=at_ms(START), limit=300, params=params)
    assert found == candles(exchange, file, 300)


def test_funding_history_equals_the_stored_settlements(exchange: RunningExchange, client: Any) -> None:
    found = client.fetch_funding_rate_history("SOL/USDT:USDT", since=at_ms(START), limit=50)
    stored = candles(exchange, "futures/SOL_USDT_USDT-1h-funding_rate.feather", 50)
    assert [[row["timestamp"], row["fundingRate"]] for row in found] == stored


def test_funding_rates_tickers_and_books(client: Any) -> None:
    rates = client.fetch_funding_rates(["BTC/USDT:USDT", "SOL/USDT:USDT"])
    assert set(rates) == {"BTC/USDT:USDT", "SOL/USDT:USDT"}
    assert rates["BTC/USDT:USDT"]["fundingTimestamp"] == at_ms(NOW.replace(hour=16, minute=0, second=0))
    spot, perp = client.fetch_tickers(["BTC/USDT"]), client.fetch_tickers(["BTC/USDT:USDT"])
    assert perp["BTC/USDT:USDT"]["last"] == pytest.approx(spot["BTC/USDT"]["last"], rel=0.01)
    assert spot["BTC/USDT"]["bid"] < spot["BTC/USDT"]["ask"]
    best = client.fetch_bids_asks(["SOL/USDT:USDT"])["SOL/USDT:USDT"]
    book = client.fetch_l2_order_book("SOL/USDT:USDT", 20)
    assert (best["bid"], best["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert len(book["asks"]) == 20
    assert client.fetch_ticker("SOL/USDT")["baseVolume"] > 0
    assert client.fetch_last_prices(["SOL/USDT:USDT"])["SOL/USDT:USDT"]["price"] > 0


def test_time_status_and_trades(client: Any) -> None:
    assert client.fetch_time() == at_ms(NOW)
    assert client.fetch_status()["status"] == "ok"
    trades = client.fetch_trades("BTC/USDT", limit=10)
    assert len(trades) == 10
    assert trades[-1]["timestamp"] <= at_ms(NOW)


def test_refusals_become_ccxt_s_exceptions(client: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        client.publicGetKlines({"symbol": "NOPE", "interval": "1h"})
    with pytest.raises(ccxt.BadRequest):
        client.fetch_ohlcv("BTC/USDT", "7h")


def test_async_client_sees_the_same_market(exchange: RunningExchange) -> None:
    async def read() -> tuple[set[str], list[list[float]], list[dict[str, Any]]]:
        client = ccxt.async_support.binance(ccxt_config(exchange.url))
        try:
            markets = await client.load_markets()
            ohlcv = await client.fetch_ohlcv("BTC/USDT:USDT", "1h", since=at_ms(START), limit=100)
            funding = await client.fetch_funding_rate_history("BTC/USDT:USDT", since=at_ms(START), limit=9)
            return set(markets), ohlcv, funding
        finally:
            await client.close()

    markets, ohlcv, funding = asyncio.run(read())
    assert {"BTC/USDT", "SOL/USDT:USDT"} <= markets
    assert ohlcv == candles(exchange, "futures/BTC_USDT_USDT-1h-futures.feather", 100)
    assert [row["timestamp"] for row in funding] == [at_ms(START) + 8 * HOUR_MS * n for n in range(9)]

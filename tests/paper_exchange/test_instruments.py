"""Filters equal what Binance served; every coin of a data folder gets some."""

import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_exchange.instruments import Venue, instrument
from paper_exchange.symbol_rows import perp_exchange_info, spot_exchange_info

COINS = ("ADA", "AVAX", "BNB", "BTC", "DOGE", "ETH", "LINK", "LTC", "SOL", "XRP")


def by_type(symbol: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["filterType"]: row for row in symbol["filters"]}


def symbols(path: Path) -> dict[str, dict[str, Any]]:
    return {symbol["symbol"]: symbol for symbol in json.loads(path.read_text())["symbols"]}


def numbers(filters: dict[str, dict[str, Any]], names: tuple[str, ...]) -> dict[str, Decimal]:
    """Flatten the named filters to "TYPE.key" -> value, so that "0.10" equals "0.1"."""
    return {
        f"{name}.{key}": Decimal(str(value))
        for name in names
        for key, value in filters[name].items()
        if key not in {"filterType", "applyToMarket"}
    }


@pytest.mark.parametrize("coin", COINS)
def test_spot_filters_are_those_binance_served(recorded: Path, coin: str) -> None:
    real = symbols(recorded / "meta" / "binance_spot_exchangeInfo_2022-12-03.json")[f"{coin}USDT"]
    info: Any = spot_exchange_info([instrument(Venue.SPOT, coin, "USDT")], 0)
    ours, theirs = by_type(info["symbols"][0]), by_type(real)
    names = ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE")
    assert numbers(ours, names) == numbers(theirs, names)
    # both have been renamed since: NOTIONAL and PERCENT_PRICE_BY_SIDE
    assert Decimal(ours["NOTIONAL"]["minNotional"]) == Decimal(theirs["MIN_NOTIONAL"]["minNotional"])
    for side, way in itertools.product(("bid", "ask"), ("Up", "Down")):
        multiplier = ours["PERCENT_PRICE_BY_SIDE"][f"{side}Multiplier{way}"]
        assert Decimal(multiplier) == Decimal(theirs["PERCENT_PRICE"][f"multiplier{way}"])


@pytest.mark.parametrize("coin", COINS)
def test_perp_filters_are_those_binance_served(recorded: Path, coin: str) -> None:
    real = symbols(recorded / "meta" / "binance_usdm_exchangeInfo_2025-10-30.json")[f"{coin}USDT"]
    info: Any = perp_exchange_info([instrument(Venue.PERP, coin, "USDT")], 0)
    ours = info["symbols"][0]
    names = ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE")
    assert numbers(by_type(ours), names) == numbers(by_type(real), names)
    for key in ("pricePrecision", "quantityPrecision", "liquidationFee", "contractType", "marginAsset"):
        assert ours[key] == real[key]
    assert Decimal(ours["marketTakeBound"]) == Decimal(real["marketTakeBound"])


def test_btc_filters_without_the_recorded_file() -> None:
    spot, perp = (instrument(venue, "BTC", "USDT").filters for venue in Venue)
    assert (spot.tick, spot.lot, spot.min_notional) == (Decimal("0.01"), Decimal("0.00001"), Decimal(10))
    assert (perp.tick, perp.lot, perp.min_notional) == (Decimal("0.1"), Decimal("0.001"), Decimal(100))
    assert (perp.px_up, perp.px_down) == (Decimal("1.05"), Decimal("0.95"))


@pytest.mark.parametrize("venue", Venue)
def test_unknown_coin_gets_the_documented_fallback(venue: Venue) -> None:
    item = instrument(venue, "PURR", "USDC")
    assert item.name == "PURRUSDC"
    assert item.filters.tick == Decimal("0.00001")
    assert item.filters.lot == (Decimal("0.01") if venue is Venue.SPOT else Decimal(1))
    assert item.filters.min_notional == (10 if venue is Venue.SPOT else 5)


def test_other_quotes_use_the_coin_s_filters() -> None:
    for venue in Venue:
        assert instrument(venue, "ETH", "USDC").filters == instrument(venue, "ETH", "USDT").filters

"""What is read from freqtrade's export: fills, costs, lots; and what is refused."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from carry.costs import Liquidity
from carry.errors import DataError, UsageError
from carry.freqtrade_results import BacktestExport, read_export

from .synthetic import order, strategy, trade, write_export

BLOCK = {
    "leverage": 3,
    "costs": {"spot_taker_bps": 7.5, "spot_liquidity": "maker", "fixed_per_trade": 2},
    "spot_lots": {"BTC": 0.001},
}


def export(folder: Path, one: dict[str, Any]) -> BacktestExport:
    """Return an export of one trade, written and read again."""
    return read_export(write_export(folder, {"S": strategy([one])}, BLOCK))


def test_fills_of_a_short_are_signed_timed_and_charged_by_side(tmp_path: Path) -> None:
    one = trade([order(3, 1.5, 100.0, True), order(5, 0.5, 101.0, False), order(9, 1.0, 102.0, False, "roi")])
    one["fee_close"] = 0.0007
    fills = export(tmp_path, one).strategies[0].trades[0].fills
    assert fills.qty.tolist() == [-1.5, 0.5, 1.0]
    assert fills.fee_rate.tolist() == [0.0005, 0.0007, 0.0007]
    assert fills.px.tolist() == [100.0, 101.0, 102.0]
    assert ((fills.at_ns - fills.at_ns[0]) // 3_600_000_000_000).tolist() == [0, 2, 6]
    assert fills.off_open.tolist() == [False, False, True]


def test_long_trade_buys_first(tmp_path: Path) -> None:
    one = {**trade([order(3, 1.5, 100.0, True), order(5, 1.5, 101.0, False)]), "is_short": False}
    assert export(tmp_path, one).strategies[0].trades[0].fills.qty.tolist() == [1.5, -1.5]


def test_orders_are_sorted_by_time_and_unfilled_ones_left_out(tmp_path: Path) -> None:
    unfilled = {**order(4, 9.0, 100.0, True), "order_filled_timestamp": None}
    one = trade([order(3, 1.0, 100.0, True), unfilled, order(9, 2.0, 102.0, False)])
    one["orders"].append(order(5, 1.0, 101.0, True))
    fills = export(tmp_path, one).strategies[0].trades[0].fills
    assert fills.px.tolist() == [100.0, 101.0, 102.0]


@pytest.mark.parametrize(
    "tag", ["liquidation", "stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "roi"]
)
def test_tags_that_fill_inside_a_candle(tmp_path: Path, tag: str) -> None:
    one = trade([order(3, 1.0, 100.0, True), order(5, 1.0, 101.0, False, tag)])
    assert export(tmp_path, one).strategies[0].trades[0].fills.off_open.tolist() == [False, True]


def test_costs_and_lots_come_from_the_configuration_in_the_export(tmp_path: Path) -> None:
    read = export(tmp_path, trade([order(3, 1.0, 100.0, True), order(5, 1.0, 101.0, False)]))
    assert read.configured and read.leverage == 3.0
    assert read.costs.spot_taker_bps == 7.5
    assert read.costs.spot_liquidity is Liquidity.MAKER
    assert read.costs.fixed_per_trade == 2.0
    assert read.spot_lot("BTC/USDT:USDT") == 0.001
    assert read.spot_lot("ETH/USDT:USDT") == 1e-8


def test_export_without_hedge_block_is_marked(tmp_path: Path) -> None:
    read = read_export(write_export(tmp_path, {"S": strategy([])}, {}))
    assert not read.configured


def test_zip_json_and_directory_read_the_same(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "a", {"S": strategy([], timeframe_detail="5m")}, BLOCK)
    archive = next(folder.glob("*.zip"))
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "b")
    plain = tmp_path / "b" / f"{archive.stem}.json"
    renamed = archive.rename(tmp_path / "renamed.zip")
    reads = [read_export(path) for path in (plain, renamed)]
    assert [read.strategies[0].finest_timeframe for read in reads] == ["5m", "5m"]
    assert [read.costs.spot_taker_bps for read in reads] == [7.5, 7.5]


def _spoil(one: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    spoilt: dict[str, Any] = json.loads(json.dumps(one))
    target = spoilt["orders"][1] if key in spoilt["orders"][1] else spoilt
    target[key] = value
    return spoilt


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("amount", 0.7, "not closed"),
        ("amount", -1.0, "amount"),
        ("safe_price", 0.0, "safe_price"),
        ("safe_price", float("nan"), "safe_price"),
        ("profit_abs", float("nan"), "profit_abs"),
        ("profit_abs", None, "float"),
        ("orders", [], "no filled order"),
        ("is_short", None, "field 'is_short' is missing"),
    ],
)
def test_trade_that_cannot_be_booked_is_one_line(tmp_path: Path, key: str, value: object, word: str) -> None:
    good = trade([order(3, 1.0, 100.0, True), order(5, 1.0, 101.0, False)])
    if key == "is_short":
        good.pop("is_short")
    else:
        good = _spoil(good, key, value)
    with pytest.raises(DataError, match=word) as caught:
        export(tmp_path, good)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("block", "word"),
    [
        ({"costs": {"spot_taker_bps": -1}}, "spot_taker_bps"),
        ({"costs": {"spot_taker_bps": "much"}}, "spot_taker_bps"),
        ({"costs": {"perp_liquidity": "none"}}, "perp_liquidity"),
        ({"costs": [1]}, "costs"),
        ({"spot_lots": {"BTC": 0}}, "BTC"),
        ({"spot_lots": {"BTC": "x"}}, "BTC"),
    ],
)
def test_bad_hedge_block_is_a_usage_error(tmp_path: Path, block: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        read_export(write_export(tmp_path, {"S": strategy([])}, block))

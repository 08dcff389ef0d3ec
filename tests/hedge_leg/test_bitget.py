"""Bitget without a network: the shipped overlay, the exact requests, its answers read exactly."""

import json
from decimal import Decimal
from typing import Any

import pytest

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.config import read_config
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.errors import ConfigError, OutcomeUnknown, VenueRefused, VenueUnavailable
from tests.hedge_leg.bitget import KEYS, NOW_MS, FakeBitget, client, overlay, refused, spot_fill, spot_order
from tests.hedge_leg.fakes import FakeClock

PLACE, INFO = "/api/v2/spot/trade/place-order", "/api/v2/spot/trade/orderInfo"
FILLS, ASSETS = "/api/v2/spot/trade/fills", "/api/v2/spot/account/assets"
INTENT = OrderIntent(
    "hl-b-1", "BTC/USDT", Side.BUY, Decimal("0.123456"), Decimal("60000.01"), 0, Purpose.OPEN
)


def spot(venue: FakeBitget) -> CcxtSpotVenue:
    return CcxtSpotVenue(client(venue), FakeClock(NOW_MS))


def test_rules_come_from_the_symbol() -> None:
    rules = spot(FakeBitget()).rules("BTC/USDT")
    assert (rules.lot, rules.tick) == (Decimal("0.000001"), Decimal("0.01"))
    assert (rules.min_qty, rules.min_notional) == (Decimal("0.000001"), Decimal(1))
    assert (rules.fee_rate, rules.fee_in_base, rules.active) == (Decimal("0.001"), True, True)


def test_order_is_one_exact_request_then_read_back() -> None:
    venue = FakeBitget(
        {
            PLACE: {"orderId": "121", "clientOid": "hl-b-1"},
            INFO: spot_order("hl-b-1", "0.1000000000000000", "cancelled"),
            FILLS: [spot_fill(1, "0.04"), spot_fill(2, "0.06"), spot_fill(3, "9", order="7")],
        }
    )
    report = spot(venue).place(INTENT)
    assert venue.posts() == [
        (
            "POST",
            PLACE,
            {
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "price": "60000.01",
                "force": "IOC",
                "side": "buy",
                "clientOid": "hl-b-1",
                "size": "0.123456",
            },
        )
    ]
    reads = [(path, params) for method, path, params in venue.asked[-2:]]
    assert reads[0] == (INFO, {"clientOid": "hl-b-1"})
    assert reads[1][1]["orderId"] == "121"
    assert (report.venue_id, report.filled_qty, report.final) == ("121", Decimal("0.1"), True)
    assert [(fill.qty, fill.fee, fill.fee_asset, fill.fee_value) for fill in report.fills] == [
        (Decimal("0.04"), Decimal("0.00004"), "BTC", Decimal("2.4")),
        (Decimal("0.06"), Decimal("0.00006"), "BTC", Decimal("3.6")),
    ]


def test_sent_order_s_headers_are_signed_and_its_errors_hide_the_keys() -> None:
    venue = FakeBitget({PLACE: refused("40009", "sign signature error KEY key-1 secret-1 pass-1")})
    with pytest.raises(VenueRefused) as caught:
        spot(venue).place(INTENT)
    assert caught.value.code == "auth:40009"
    for secret in ("key-1", "secret-1", "pass-1"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused("43012", "Insufficient balance"), VenueRefused),
        (refused("45110", "less than the minimum amount 1 USDT"), VenueRefused),
        (refused("40786", "Duplicate clientOid"), OutcomeUnknown),
        (refused("40010", "Request timed out"), OutcomeUnknown),
        (refused("40725", "service return an error", 200), OutcomeUnknown),
        (refused("43012", "Insufficient balance", 502), OutcomeUnknown),
        ((200, "<html>"), OutcomeUnknown),
        ((200, "{}"), OutcomeUnknown),
    ],
)
def test_outcome_of_an_order(reply: Any, expected: type[Exception]) -> None:
    venue = FakeBitget({PLACE: reply})
    with pytest.raises(expected):
        spot(venue).place(INTENT)
    assert len(venue.posts()) == 1


def test_taken_order_that_cannot_be_read_is_unknown() -> None:
    taken = {"orderId": "121", "clientOid": "hl-b-1"}
    unreadable: list[dict[str, Any]] = [
        {INFO: []},
        {INFO: refused("40015")},
        {INFO: spot_order("hl-b-1", "0.1", "filled"), FILLS: [spot_fill(1, "0.09")]},
        {INFO: spot_order("hl-b-1", "0.1", "a-new-state"), FILLS: [spot_fill(1, "0.1")]},
    ]
    for replies in unreadable:
        with pytest.raises(OutcomeUnknown):
            spot(FakeBitget({PLACE: taken, **replies})).place(INTENT)


def test_find_knows_absent_from_unavailable() -> None:
    assert spot(FakeBitget({INFO: []})).find(INTENT) is None
    assert spot(FakeBitget({INFO: refused("43001", "The order does not exist")})).find(INTENT) is None
    for reply in (refused("40015"), refused("43001", "gone", 500), (200, "null"), (200, "<p>")):
        with pytest.raises(VenueUnavailable):
            spot(FakeBitget({INFO: reply})).find(INTENT)


def test_order_with_more_fills_than_a_page_is_read_completely() -> None:
    rows = [spot_fill(number, "0.0005") | {"cTime": str(NOW_MS + number)} for number in range(240)]

    def fills(params: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = int(params.get("startTime", 0)), int(params.get("endTime", 1 << 60))
        found = [row for row in rows if start <= int(row["cTime"]) <= end]
        return found[::-1][: int(params["limit"])]  # newest first, as Bitget does

    venue = FakeBitget({INFO: spot_order("hl-b-1", "0.12", "filled"), FILLS: fills})
    report = spot(venue).find(INTENT)
    assert report is not None
    assert len(report.fills) == 240


@pytest.mark.parametrize(
    ("detail", "fee", "value"),
    [
        (
            {"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "", "totalFee": "0.06"},
            "-0.06",
            "-0.06",
        ),
        ({"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "0", "totalFee": "0.05"}, "0.05", "0.2"),
        (
            {"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "-1", "totalFee": "-0.05"},
            "0.05",
            "0.2",
        ),
    ],
    ids=["a rebate", "paid in BGB as observed", "paid in BGB as documented"],
)
def test_fee_paid_in_bgb_is_no_rebate(detail: dict[str, str], fee: str, value: str) -> None:
    venue = FakeBitget(
        {INFO: spot_order("hl-b-1", "0.1", "filled"), FILLS: [spot_fill(1, "0.1") | {"feeDetail": detail}]}
    )
    found = spot(venue)
    found._prices._known["BGB", "USDT"] = (NOW_MS, Decimal(4))
    report = found.find(INTENT)
    assert report is not None
    [fill] = report.fills
    assert (fill.fee, fill.fee_asset, fill.fee_value) == (Decimal(fee), detail["feeCoin"], Decimal(value))


def test_balances_are_exact_and_a_missing_list_is_no_zero() -> None:
    row = {"coin": "USDT", "available": "12345678.12345678", "frozen": "0.00000001", "locked": "1"}
    assert spot(FakeBitget({ASSETS: [row]})).balances() == {
        "USDT": (Decimal("12345678.12345678"), Decimal("12345679.12345679"))
    }
    assert spot(FakeBitget({ASSETS: []})).balances() == {}
    for reply in (refused("40015"), (200, ""), (200, "{}")):
        with pytest.raises(VenueUnavailable):
            spot(FakeBitget({ASSETS: reply})).balances()


def test_no_passphrase_and_unknown_exchanges_are_refused() -> None:
    with pytest.raises(ConfigError, match="FREQTRADE__HEDGE_LEG__PASSWORD"):
        build_client("bitget", Credentials("k", "s"))
    with pytest.raises(ConfigError, match="not known to ccxt"):
        build_client("bitgett", KEYS)
    with pytest.raises(ConfigError, match="FREQTRADE__HEDGE_LEG__PASSWORD"):
        build_client("okx", Credentials("k", "s"))


@pytest.mark.parametrize("name", ["binance", "bitget", "okx", "bybit"])
def test_overlays_hold_no_secret_and_name_one_exchange_for_both_legs(name: str) -> None:
    found = overlay(name)
    assert found["exchange"]["name"] == found["hedge_leg"]["exchange"]["name"] == name
    text = json.dumps(found).lower()
    for word in ('"key"', '"secret"', '"password"', "apikey"):
        assert word not in text
    assert read_config(found["hedge_leg"]).exchange.timeout_ms == 5_000

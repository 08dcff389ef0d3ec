"""Bitget's perps and account modes without a network: exact requests, answers read exactly."""

from decimal import Decimal
from typing import Any

import pytest

from hedge_leg.adapters.account_check import check_account
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.errors import ConfigError, VenueUnavailable
from tests.hedge_leg.bitget import NOW_MS, FakeBitget, client, refused
from tests.hedge_leg.fakes import FakeClock

ASSETS = "/api/v2/spot/account/assets"
CLOSE, PERP_INFO = "/api/v2/mix/order/place-order", "/api/v2/mix/order/detail"
PERP_FILLS = "/api/v2/mix/order/fills"


def perp_order(filled: str, state: str, trade_side: str = "buy_single") -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "size": "0.5",
        "orderId": "77",
        "clientOid": "hl-b-2",
        "baseVolume": filled,
        "fee": "-0.1",
        "price": "",
        "priceAvg": "60000",
        "state": state,
        "side": "buy",
        "posSide": "net",
        "marginCoin": "USDT",
        "orderType": "market",
        "marginMode": "isolated",
        "reduceOnly": "YES",
        "tradeSide": trade_side,
        "posMode": "one_way_mode",
        "cTime": str(NOW_MS),
        "uTime": str(NOW_MS + 9),
    }


def perp_fill(number: int, qty: str, px: str) -> dict[str, Any]:
    return {
        "tradeId": str(number),
        "symbol": "BTCUSDT",
        "orderId": "77",
        "price": px,
        "baseVolume": qty,
        "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": None, "totalFee": "-0.12"}],
        "side": "buy",
        "quoteVolume": str(Decimal(qty) * Decimal(px)),
        "profit": "0",
        "tradeSide": "buy_single",
        "posMode": "one_way_mode",
        "tradeScope": "taker",
        "cTime": str(NOW_MS + 5),
    }


def test_perp_is_closed_reduce_only_in_its_own_margin_mode() -> None:
    venue = FakeBitget(
        {
            CLOSE: {"orderId": "77", "clientOid": "hl-b-2"},
            PERP_INFO: perp_order("0.5", "filled"),
            PERP_FILLS: {
                "fillList": [perp_fill(1, "0.2", "60000"), perp_fill(2, "0.3", "60010")],
                "endId": "2",
            },
        }
    )
    found = CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS)).close(
        "BTC/USDT:USDT", Decimal("0.5"), "hl-b-2"
    )
    assert venue.posts() == [
        (
            "POST",
            CLOSE,
            {
                "symbol": "BTCUSDT",
                "orderType": "market",
                "force": "GTC",  # ccxt's default; Bitget reads it for limit orders only
                "marginCoin": "USDT",
                "size": "0.5",
                "productType": "USDT-FUTURES",
                "clientOid": "hl-b-2",
                "marginMode": "isolated",
                "reduceOnly": "YES",
                "side": "buy",
            },
        )
    ]
    assert (found.qty, found.value, found.fee) == (Decimal("0.5"), Decimal(30003), Decimal("0.24"))
    assert (found.open, found.reduce_only, found.liquidation) == (False, True, False)
    assert (found.created_ms, found.filled_ms) == (NOW_MS, NOW_MS + 5)


def test_perp_orders_position_and_funding_are_read() -> None:
    bill = {"billId": "9", "symbol": "BTCUSDT", "amount": "-0.004992", "fee": "0", "coin": "USDT"}
    bill |= {"businessType": "contract_settle_fee", "cTime": str(NOW_MS)}
    position = {
        "symbol": "BTCUSDT",
        "marginCoin": "USDT",
        "holdSide": "short",
        "total": "0.7",
        "leverage": "2",
    }
    position |= {
        "posMode": "one_way_mode",
        "marginMode": "isolated",
        "openPriceAvg": "60000",
        "marginSize": "9",
    }
    position |= {
        "available": "0.7",
        "locked": "0",
        "markPrice": "60000",
        "unrealizedPL": "0",
        "cTime": str(NOW_MS),
    }
    venue = FakeBitget(
        {
            "/api/v2/mix/position/all-position": [position],
            "/api/v2/mix/order/orders-history": {
                "entrustedList": [perp_order("0.5", "filled", "burst_buy_single")],
                "endId": "77",
            },
            "/api/v2/mix/order/orders-pending": {"entrustedList": None, "endId": None},
            PERP_FILLS: {"fillList": [perp_fill(1, "0.5", "60000")], "endId": "1"},
            "/api/v2/mix/account/bill": {"bills": [bill], "endId": "9"},
        }
    )
    perp = CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS))
    assert perp.short_qty("BTC/USDT:USDT") == Decimal("0.7")
    [order] = perp.orders_since("BTC/USDT:USDT", NOW_MS - 1)
    assert (order.qty, order.liquidation, order.fee) == (Decimal("0.5"), True, Decimal("0.12"))
    [paid] = perp.funding_since("BTC/USDT:USDT", NOW_MS - 1)
    assert (paid.key, paid.amount, paid.paid_ms) == ("9", Decimal("-0.004992"), NOW_MS)


def test_nothing_older_than_bitget_s_three_months_is_asked_for() -> None:
    def recent(row: Any) -> Any:
        def reply(params: dict[str, Any]) -> Any:
            late = int(params.get("startTime", NOW_MS)) < NOW_MS - 90 * 86_400_000
            return refused("40704", "Can only check the data of the last three months") if late else row

        return reply

    order, fill = perp_order("0.5", "filled"), perp_fill(1, "0.5", "60000")
    venue = FakeBitget(
        {
            "/api/v2/mix/order/orders-history": recent({"entrustedList": [order], "endId": "77"}),
            "/api/v2/mix/order/orders-pending": {"entrustedList": None, "endId": None},
            PERP_FILLS: recent({"fillList": [fill], "endId": "1"}),
            "/api/v2/mix/account/bill": recent({"bills": [], "endId": ""}),
            "/api/v2/spot/trade/fills": recent([]),
        }
    )
    long_ago_ms = NOW_MS - 200 * 86_400_000
    perp = CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS))
    assert [order.qty for order in perp.orders_since("BTC/USDT:USDT", long_ago_ms)] == [Decimal("0.5")]
    assert perp.funding_since("BTC/USDT:USDT", long_ago_ms) == ()
    assert CcxtSpotVenue(client(venue), FakeClock(NOW_MS)).trades_since("BTC/USDT", long_ago_ms) == ()


PAIRS = [("BTC/USDT:USDT", "BTC/USDT")]
UTA = "/api/v3/account/settings"
ACCOUNT = "/api/v2/mix/account/account"
GOOD: dict[str, Any] = {
    UTA: refused("40085", "You are in Classic Account mode"),
    ASSETS: [],
    "/api/v2/mix/account/accounts": [],
    ACCOUNT: {
        "marginCoin": "USDT",
        "posMode": "one_way_mode",
        "marginMode": "isolated",
        "assetMode": "single",
    },
    "/api/v2/mix/position/all-position": [],
}


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        ({UTA: {"assetMode": "multi_assets"}}, "unified trading account"),
        ({ASSETS: refused("40037", "Apikey does not exist")}, "spot: the API key or its secret is wrong"),
        ({ASSETS: refused("40014", "Incorrect permissions")}, "spot: the key is not accepted"),
        ({"/api/v2/mix/account/accounts": refused("40014")}, "futures: the key is not accepted"),
        ({ACCOUNT: GOOD[ACCOUNT] | {"posMode": "hedge_mode"}}, "hedge mode"),
        ({ACCOUNT: GOOD[ACCOUNT] | {"assetMode": "union"}}, "multi-asset mode"),
    ],
)
def test_account_check_names_what_is_wrong(replies: dict[str, Any], text: str) -> None:
    venue = FakeBitget(GOOD | replies)
    with pytest.raises(ConfigError, match=text):
        check_account(client(venue), client(venue, "swap"), PAIRS)


def test_account_check_passes_a_good_account_and_tells_no_answer_from_a_wrong_one() -> None:
    venue = FakeBitget(GOOD)
    check_account(client(venue), client(venue, "swap"), PAIRS)
    venue.replies[ASSETS] = (502, "<html>")
    with pytest.raises(VenueUnavailable):
        check_account(client(venue), client(venue, "swap"), PAIRS)

"""Funding and fees as OKX and Bybit document them, where ccxt reads them otherwise or not at all."""

from decimal import Decimal
from typing import Any

import pytest

from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from tests.hedge_leg.fakes import FakeClock
from tests.hedge_leg.okx_bybit import NOW_MS, Fake, client
from tests.hedge_leg.test_okx_bybit import (
    CLIENT_ID,
    EXECUTIONS,
    HISTORY,
    REALTIME,
    bybit_fill,
    bybit_order,
    intent,
)

PAIR = "BTC/USDT:USDT"
D = Decimal
BILLS = "/api/v5/account/bills-archive"


def perp(venue: Fake) -> CcxtPerpVenue:
    return CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS))


def bybit_funding(fee: str, rate: str) -> dict[str, Any]:
    """Return a settlement of a short of one as /v5/execution/list tells it: a positive fee was paid."""
    row = bybit_fill(7, "1", execType="Funding", execFee=fee, feeRate=rate, orderId="1692316800-BTCUSDT")
    return row | {"side": "Sell", "category": "linear", "feeCurrency": "", "createType": ""}


@pytest.mark.parametrize(("fee", "rate", "received"), [("-6", "-0.0001", D(6)), ("3", "0.00005", D(-3))])
def test_bybit_funding_is_received_positive_although_its_fee_is_paid_positive(
    fee: str, rate: str, received: Decimal
) -> None:
    venue = Fake("bybit", {EXECUTIONS: {"list": [bybit_funding(fee, rate)], "category": "linear"}})
    [paid] = perp(venue).funding_since(PAIR, NOW_MS - 1)
    assert (paid.key, paid.amount, paid.paid_ms) == ("7", received, NOW_MS)
    assert venue.asked[-1][2]["execType"] == "Funding"


def test_bybit_fee_in_another_coin_is_not_read_as_the_bought_one() -> None:
    filled = bybit_order("0.1", "Filled", cumFeeDetail={"MNT": "4"})
    rows = [bybit_fill(1, "0.1", execFee="4", feeCurrency="MNT")]
    venue = Fake("bybit", {REALTIME: {"list": [filled], "category": "spot"}, EXECUTIONS: {"list": rows}})
    spot = CcxtSpotVenue(client(venue), FakeClock(NOW_MS))
    spot._prices._known["MNT", "USDT"] = (NOW_MS, D("1.5"))
    report = spot.find(intent())
    assert report is not None
    assert [(fill.fee, fill.fee_asset, fill.fee_value) for fill in report.fills] == [(D(4), "MNT", D(6))]


def test_bybit_perp_fee_in_another_coin_is_valued_in_the_quote() -> None:
    order = bybit_order("0.5", "Filled", qty="0.5", orderLinkId="hl-BTC1a2b3c4d-2", side="Buy")
    rows = [bybit_fill(1, "0.5", execFee="8", feeCurrency="MNT", category="linear", createType="x")]
    venue = Fake(
        "bybit",
        {REALTIME: {"list": []}, HISTORY: {"list": [order]}, EXECUTIONS: {"list": rows}},
    )
    found = perp(venue)
    found._prices._known["MNT", "USDT"] = (NOW_MS, D("1.5"))
    told = found.find(PAIR, "hl-BTC1a2b3c4d-2")
    assert told is not None
    assert told.fee == D(12)


def test_bybit_fee_without_a_named_coin_is_in_the_bought_one_and_a_rebate_is_negative() -> None:
    rows = [bybit_fill(1, "0.06", feeCurrency=""), bybit_fill(2, "0.04", execFee="-0.6", feeCurrency="USDT")]
    filled = bybit_order("0.1", "Filled")
    venue = Fake("bybit", {REALTIME: {"list": [filled]}, EXECUTIONS: {"list": rows}})
    report = CcxtSpotVenue(client(venue), FakeClock(NOW_MS)).find(
        OrderIntent(CLIENT_ID, "BTC/USDT", Side.BUY, D("0.1"), D("60000.1"), 0, Purpose.OPEN)
    )
    assert report is not None
    told = sorted((fill.fee_asset, fill.fee, fill.fee_value) for fill in report.fills)
    assert told == [("BTC", D("0.00006"), D("3.6")), ("USDT", D("-0.6"), D("-0.6"))]


def okx_bill(number: int, at_ms: int, **more: Any) -> dict[str, Any]:
    """Return a settlement received by an isolated position, as /account/bills-archive tells it."""
    row = {"billId": str(number), "instId": "BTC-USDT-SWAP", "instType": "SWAP", "ccy": "USDT", "type": "8"}
    row |= {"subType": "174", "balChg": "0", "posBalChg": "0.5", "pnl": "0.5", "ts": str(at_ms)}
    return row | {"mgnMode": "isolated"} | more


def test_okx_funding_is_asked_for_the_pair_and_the_span_so_that_none_is_cut_off() -> None:
    hour_ms = 3_600_000
    rows = [okx_bill(n, NOW_MS - n * hour_ms) for n in range(150)]
    rows += [okx_bill(1000 + n, NOW_MS - n * hour_ms, instId="ETH-USDT-SWAP") for n in range(150)]

    def bills(params: dict[str, Any]) -> Any:
        begin, end = int(params.get("begin", 0)), int(params.get("end", 1 << 60))
        found = [
            row
            for row in sorted(rows, key=lambda row: -int(row["ts"]))
            if begin <= int(row["ts"]) <= end and row["instId"] == params.get("instId", row["instId"])
        ]
        return found[: int(params["limit"])]

    told = perp(Fake("okx", {BILLS: bills})).funding_since(PAIR, NOW_MS - 149 * hour_ms)
    assert len(told) == 150
    assert sum(paid.amount for paid in told) == D(75)


def test_bybit_balance_is_free_of_what_positions_and_orders_hold() -> None:
    coin = {"coin": "USDT", "walletBalance": "1000", "locked": "50", "totalPositionIM": "200"}
    coin |= {"equity": "1010"}
    coin |= {"totalOrderIM": "10", "availableToWithdraw": "", "borrowAmount": "0", "accruedInterest": "0"}
    bought = coin | {"coin": "BTC", "walletBalance": "0.5", "locked": "0"}
    bought |= {"totalPositionIM": "0", "totalOrderIM": "0"}
    wallet = {"list": [{"accountType": "UNIFIED", "coin": [coin, bought]}]}
    spot = CcxtSpotVenue(client(Fake("bybit", {"/v5/account/wallet-balance": wallet})), FakeClock(NOW_MS))
    assert spot.balances() == {"USDT": (D(740), D(1000)), "BTC": (D("0.5"), D("0.5"))}


def test_okx_balance_is_what_is_available_of_the_account() -> None:
    usdt = {"ccy": "USDT", "eq": "1000.5", "cashBal": "1000", "availEq": "700", "availBal": "699"}
    usdt |= {"frozenBal": "300", "isoEq": "100"}
    btc = {"ccy": "BTC", "eq": "0.5", "cashBal": "0.5", "availEq": "", "availBal": "0.4", "frozenBal": "0.1"}
    account = [{"uTime": str(NOW_MS), "details": [usdt, btc]}]
    spot = CcxtSpotVenue(client(Fake("okx", {"/api/v5/account/balance": account})), FakeClock(NOW_MS))
    assert spot.balances() == {"USDT": (D(700), D("1000.5")), "BTC": (D("0.4"), D("0.5"))}

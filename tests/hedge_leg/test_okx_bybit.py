"""OKX and Bybit without a network: account checks, client ids, exact requests, answers read exactly."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.adapters.account_check import check_account
from hedge_leg.adapters.ccxt_dialects import ClientIds, dialect_of
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.core.carry import new_carry_id
from hedge_leg.core.orders import OrderIntent, Purpose, Side, client_order_id
from hedge_leg.errors import ConfigError, OutcomeUnknown, VenueRefused, VenueUnavailable
from tests.hedge_leg.fakes import FakeClock
from tests.hedge_leg.okx_bybit import BYBIT_KEY, NOW_MS, OKX_ACCOUNT, Fake, client, okx

PAIRS = [("BTC/USDT:USDT", "BTC/USDT")]
CLIENT_ID = "hl-BTC1a2b3c4d-1"
ON_OKX = "hlzBTC1a2b3c4dz1"
D = Decimal


def intent(client_id: str = CLIENT_ID) -> OrderIntent:
    return OrderIntent(client_id, "BTC/USDT", Side.BUY, D("0.12345"), D("60000.1"), 0, Purpose.OPEN)


@given(base=st.text(min_size=1, max_size=12), at_ms=st.integers(0, 2**45), number=st.integers(1, 10**9))
def test_every_id_of_ours_goes_to_okx_and_back(base: str, at_ms: int, number: int) -> None:
    ours = client_order_id(new_carry_id(base, f"{base}/USDT:USDT", at_ms, 0), number)
    ids = dialect_of("okx").client_ids
    sent = ids.sent(ours)
    assert re.fullmatch(r"[0-9A-Za-z]{1,32}", sent)
    assert ids.read(sent) == ours


@given(foreign=st.from_regex(r"[0-9A-Za-z]{0,32}", fullmatch=True))
def test_ids_of_others_never_look_like_ours(foreign: str) -> None:
    read = dialect_of("okx").client_ids.read(foreign)
    assert read == foreign or dialect_of("okx").client_ids.sent(read) == foreign


def test_ids_that_would_not_come_back_are_refused_before_anything_is_sent() -> None:
    for wrong in ("hl-az-1", "hl-" + "A" * 30 + "-1", "nothing"):
        with pytest.raises(ValueError, match="does not fit"):
            ClientIds("z", 32).sent(wrong if wrong != "nothing" else "no-z-thing")
    venue = Fake("okx")
    with pytest.raises(VenueRefused) as caught:
        CcxtSpotVenue(client(venue), FakeClock(NOW_MS)).place(intent("hl-az-1"))
    assert caught.value.code == "local:client-id"
    assert venue.posts() == []
    assert ClientIds().sent(CLIENT_ID) == CLIENT_ID


def okx_order(filled: str, state: str, **more: Any) -> dict[str, Any]:
    row = {"instId": "BTC-USDT", "instType": "SPOT", "ordId": "121", "clOrdId": ON_OKX, "px": "60000.1"}
    row |= {"sz": "0.12345", "ordType": "ioc", "side": "buy", "accFillSz": filled, "state": state}
    row |= {"avgPx": "60000", "fee": "-0.0001", "feeCcy": "BTC", "cTime": str(NOW_MS), "uTime": str(NOW_MS)}
    return row | more


def okx_fill(number: int, qty: str, **more: Any) -> dict[str, Any]:
    row = {"instId": "BTC-USDT", "instType": "SPOT", "ordId": "121", "tradeId": str(number), "side": "buy"}
    row |= {"fillSz": qty, "fillPx": "60000", "fee": str(-D(qty) / 1000), "feeCcy": "BTC", "ts": str(NOW_MS)}
    return row | more


ORDER, FILLS = "/api/v5/trade/order", "/api/v5/trade/fills-history"


def by_method(posted: Any, read: Any) -> Any:
    """Return the answers of a path that both takes orders and tells them."""
    return lambda params: posted if "sz" in params else read


def test_okx_order_is_one_exact_request_with_its_own_id_and_read_back_as_ours() -> None:
    taken = [{"ordId": "121", "clOrdId": ON_OKX, "sCode": "0", "sMsg": ""}]
    known = [okx_order("0.1", "canceled")]
    order = by_method(taken, known)
    venue = Fake("okx", {ORDER: order, FILLS: [okx_fill(1, "0.04"), okx_fill(2, "0.06")]})
    report = CcxtSpotVenue(client(venue), FakeClock(NOW_MS)).place(intent())
    [(path, sent)] = venue.posts()
    assert path == ORDER
    assert sent == {
        "instId": "BTC-USDT",
        "side": "buy",
        "ordType": "ioc",
        "sz": "0.12345",
        "px": "60000.1",
        "tdMode": "cash",
        "tgtCcy": "base_ccy",
        "clOrdId": ON_OKX,
    }
    assert (report.client_id, report.venue_id, report.filled_qty) == (CLIENT_ID, "121", D("0.1"))
    assert report.final
    asked = [params for method, path, params in venue.asked if path == ORDER and method == "GET"]
    assert asked == [{"instId": "BTC-USDT", "clOrdId": ON_OKX}]


def test_okx_lists_tell_our_ids_and_both_kinds_of_ended_orders() -> None:
    def history(params: dict[str, Any]) -> Any:
        rows = {"filled": [], "canceled": [okx_order("0.1", "canceled")]}
        return rows[params["state"]]

    venue = Fake(
        "okx",
        {
            "/api/v5/trade/orders-pending": [okx_order("0", "live"), okx_order("0", "live", clOrdId="other")],
            "/api/v5/trade/orders-history": history,
            "/api/v5/trade/cancel-order": [{"ordId": "121", "clOrdId": ON_OKX, "sCode": "0"}],
            ORDER: okx([], "51603"),
            FILLS: [okx_fill(1, "0.1")],
        },
    )
    spot = CcxtSpotVenue(client(venue), FakeClock(NOW_MS))
    assert spot.open_client_ids("BTC/USDT") == {CLIENT_ID, "other"}
    [report] = spot.orders_of("BTC/USDT", {CLIENT_ID}, NOW_MS - 1)
    assert (report.client_id, report.filled_qty) == (CLIENT_ID, D("0.1"))
    spot.cancel(intent())
    assert venue.posts()[0][1]["clOrdId"] == ON_OKX
    assert spot.find(intent()) is None


def test_okx_perp_is_closed_in_contracts_and_a_liquidation_is_known() -> None:
    swap = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "ordType": "market", "feeCcy": "USDT"}
    fill = okx_fill(1, "50", **swap) | {"fee": "-15"}

    order = okx_order("50", "filled", **swap, sz="50", reduceOnly="true", clOrdId="hlzBTC1a2b3c4dz2")
    taken = [{"ordId": "121", "clOrdId": order["clOrdId"], "sCode": "0"}]
    liquidated = okx_order("50", "filled", **swap, sz="50", clOrdId="", category="full_liquidation")

    def history(params: dict[str, Any]) -> Any:
        return [liquidated] if params["state"] == "filled" else []

    paths = {ORDER: by_method(taken, [order]), FILLS: [fill], "/api/v5/trade/orders-history": history}
    venue = Fake("okx", paths | {"/api/v5/trade/orders-pending": []})
    perp = CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS))
    closed = perp.close("BTC/USDT:USDT", D("0.5"), "hl-BTC1a2b3c4d-2")
    [(_, sent)] = venue.posts()
    assert (sent["sz"], sent["tdMode"], sent["clOrdId"]) == ("50", "isolated", "hlzBTC1a2b3c4dz2")
    assert sent["reduceOnly"] in (True, "true")
    assert (closed.client_id, closed.qty, closed.fee) == ("hl-BTC1a2b3c4d-2", D("0.5"), D(15))
    [order_of_venue] = perp.orders_since("BTC/USDT:USDT", NOW_MS - 1)
    assert (order_of_venue.liquidation, order_of_venue.qty) == (True, D("0.5"))


def test_okx_order_is_never_sent_twice_whatever_ccxt_is_told() -> None:
    for market in ("spot", "swap"):
        venue = Fake("okx", {ORDER: (502, "<html>")})
        found = client(venue, market)
        found.options |= {"maxRetriesOnFailure": 3}
        with pytest.raises(OutcomeUnknown):
            if market == "spot":
                CcxtSpotVenue(found, FakeClock(NOW_MS)).place(intent())
            else:
                CcxtPerpVenue(found, FakeClock(NOW_MS)).close("BTC/USDT:USDT", D("0.5"), CLIENT_ID)
        assert len(venue.posts()) == 1


def bybit_order(filled: str, state: str, **more: Any) -> dict[str, Any]:
    row = {"symbol": "BTCUSDT", "orderId": "121", "orderLinkId": CLIENT_ID, "price": "60000.1"}
    row |= {"qty": "0.12345", "side": "Buy", "orderType": "Limit", "timeInForce": "IOC", "cumExecQty": filled}
    row |= {"orderStatus": state, "cumExecValue": "6000", "avgPrice": "60000", "cumExecFee": "0.0001"}
    return row | {"createdTime": str(NOW_MS), "updatedTime": str(NOW_MS)} | more


def bybit_fill(number: int, qty: str, **more: Any) -> dict[str, Any]:
    row = {"symbol": "BTCUSDT", "orderId": "121", "execId": str(number), "side": "Buy", "execQty": qty}
    row |= {"execPrice": "60000", "execFee": str(D(qty) / 1000), "feeRate": "0.001", "execTime": str(NOW_MS)}
    return row | {"execType": "Trade", "isMaker": False} | more


CREATE, REALTIME = "/v5/order/create", "/v5/order/realtime"
HISTORY, EXECUTIONS = "/v5/order/history", "/v5/execution/list"


def test_bybit_order_is_one_exact_request_then_looked_up_by_its_own_id() -> None:
    venue = Fake(
        "bybit",
        {
            CREATE: {"orderId": "121", "orderLinkId": CLIENT_ID},
            REALTIME: {"list": []},
            HISTORY: {"list": [bybit_order("0.1", "PartiallyFilledCanceled")]},
            EXECUTIONS: {"list": [bybit_fill(1, "0.04"), bybit_fill(2, "0.06")]},
        },
    )
    report = CcxtSpotVenue(client(venue), FakeClock(NOW_MS)).place(intent())
    [(path, sent)] = venue.posts()
    assert path == CREATE
    assert sent == {
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "category": "spot",
        "qty": "0.12345",
        "price": "60000.1",
        "timeInForce": "IOC",
        "orderLinkId": CLIENT_ID,
    }
    assert (report.filled_qty, report.final) == (D("0.1"), True)
    assert [(fill.fee, fill.fee_asset) for fill in report.fills] == [
        (D("0.00004"), "BTC"),
        (D("0.00006"), "BTC"),
    ]
    looked = [params for _, path, params in venue.asked if path == REALTIME]
    assert looked == [{"category": "spot", "symbol": "BTCUSDT", "orderLinkId": CLIENT_ID}]


def test_bybit_absent_unavailable_and_cancelled_are_told_apart() -> None:
    venue = Fake("bybit", {REALTIME: {"list": []}, HISTORY: {"list": []}})
    spot = CcxtSpotVenue(client(venue), FakeClock(NOW_MS))
    assert spot.find(intent()) is None
    venue.replies[HISTORY] = (200, '{"retCode": 0, "result": {}}')
    with pytest.raises(VenueUnavailable):
        spot.find(intent())
    venue.replies["/v5/order/cancel"] = {"orderId": "121", "orderLinkId": CLIENT_ID}
    spot.cancel(intent())
    assert venue.posts()[0][1]["orderLinkId"] == CLIENT_ID
    assert "orderId" not in venue.posts()[0][1]


def test_bybit_liquidation_is_read_although_its_trades_are_of_another_kind() -> None:
    def trades(params: dict[str, Any]) -> Any:
        rows = [bybit_fill(1, "0.5", execType="BustTrade", execFee="15", category="linear")]
        return {"list": rows if params["execType"] == "BustTrade" else [], "category": "linear"}

    order = bybit_order("0.5", "Filled", qty="0.5", orderLinkId="", createType="CreateByLiq")
    venue = Fake(
        "bybit",
        {REALTIME: {"list": []}, HISTORY: {"list": [order], "category": "linear"}, EXECUTIONS: trades},
    )
    perp = CcxtPerpVenue(client(venue, "swap"), FakeClock(NOW_MS))
    [found] = perp.orders_since("BTC/USDT:USDT", NOW_MS - 1)
    assert (found.liquidation, found.qty, found.fee) == (True, D("0.5"), D(15))


CONFIG, ACCOUNT, KEY = "/api/v5/account/config", "/v5/account/info", "/v5/user/query-api"


@pytest.mark.parametrize(
    ("exchange", "path", "reply", "text"),
    [
        ("okx", CONFIG, [OKX_ACCOUNT | {"acctLv": "1"}], "account level is 1 .spot mode.: switch"),
        ("okx", CONFIG, [OKX_ACCOUNT | {"acctLv": "3"}], "account level is 3 .multi-currency margin."),
        ("okx", CONFIG, [OKX_ACCOUNT | {"acctLv": "4"}], "account level is 4 .portfolio margin."),
        ("okx", CONFIG, [OKX_ACCOUNT | {"posMode": "long_short_mode"}], "positions are in hedge mode"),
        ("okx", CONFIG, [OKX_ACCOUNT | {"perm": "read_only"}], "the API key may not trade"),
        ("okx", CONFIG, [OKX_ACCOUNT | {"autoLoan": True}], "auto-borrow is on"),
        ("bybit", ACCOUNT, {"unifiedMarginStatus": 1}, "classic account: upgrade"),
        (
            "bybit",
            ACCOUNT,
            {"unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN"},
            "margin mode is REGULAR_MARGIN, not isolated",
        ),
        (
            "bybit",
            ACCOUNT,
            {"unifiedMarginStatus": 5, "marginMode": "PORTFOLIO_MARGIN"},
            "margin mode is PORTFOLIO_MARGIN",
        ),
        ("bybit", KEY, BYBIT_KEY | {"readOnly": 1}, "spot: the API key may not trade"),
        ("bybit", KEY, {"readOnly": 0, "permissions": {"Spot": ["SpotTrade"]}}, "enable contract trading"),
        ("bybit", "/v5/position/list", {"list": [{"symbol": "BTCUSDT", "positionIdx": 2}]}, "in hedge mode"),
    ],
)
def test_wrong_account_is_one_line(exchange: str, path: str, reply: Any, text: str) -> None:
    venue = Fake(exchange, {path: reply})
    with pytest.raises(ConfigError, match=text) as caught:
        check_account(client(venue), client(venue, "swap"), PAIRS)
    sides = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert len(sides) == len(set(sides))
    assert venue.posts() == []


@pytest.mark.parametrize("exchange", ["okx", "bybit"])
def test_good_account_passes_and_one_that_does_not_answer_is_no_finding(exchange: str) -> None:
    venue = Fake(exchange)
    check_account(client(venue), client(venue, "swap"), PAIRS)
    for path in (CONFIG,) if exchange == "okx" else (ACCOUNT, KEY, "/v5/position/list"):
        venue.replies[path] = (502, "<html>")
        with pytest.raises(VenueUnavailable):
            check_account(client(venue), client(venue, "swap"), PAIRS)
        del venue.replies[path]


@pytest.mark.parametrize("exchange", ["okx", "bybit"])
def test_markets_of_the_shipped_overlay_are_read_exactly(exchange: str) -> None:
    rules = CcxtSpotVenue(client(Fake(exchange)), FakeClock(NOW_MS)).rules("BTC/USDT")
    expected = {
        "okx": (D("0.00000001"), D("0.1"), D("0.00001"), D(0)),
        "bybit": (D("0.000001"), D("0.01"), D("0.000011"), D(5)),
    }
    assert (rules.lot, rules.tick, rules.min_qty, rules.min_notional) == expected[exchange]
    assert rules.fee_in_base

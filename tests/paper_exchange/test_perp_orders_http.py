"""USD-M orders over real HTTP with real ccxt: positions, reduce-only, margins, funding, refusals."""

from decimal import Decimal
from typing import Any

import ccxt
import httpx
import pytest

from tests.paper_exchange.clients import send, sign, signed_client
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms

PAIR = "BTC/USDT:USDT"
HOUR_MS = 3_600_000
NEXT_FUNDING_MS = at_ms(NOW.replace(hour=16, minute=0, second=0))
DEPOSIT = Decimal(100_000)
STEP = Decimal("1e-8")


@pytest.fixture
def client(fresh: RunningExchange) -> Any:
    found = signed_client(fresh.url, fresh.clock)
    found.load_markets()
    found.set_margin_mode("isolated", PAIR)
    found.set_leverage(5, PAIR)
    return found


def depth(exchange: RunningExchange, side: str) -> list[tuple[Decimal, Decimal]]:
    rows = exchange.get("/fapi/v1/depth", symbol="BTCUSDT", limit=50).json()[side]
    return [(Decimal(px), Decimal(qty)) for px, qty in rows]


def order(
    exchange: RunningExchange, method: str = "POST", path: str = "order", **params: Any
) -> httpx.Response:
    stamped: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "timestamp": exchange.clock.now_ms(),
        "newOrderRespType": "RESULT",
    }
    return send(f"{exchange.url}/fapi/v1/{path}", method, sign(stamped | params))


def account(client: Any) -> dict[str, Decimal]:
    rows = client.fapiprivatev3_get_account()
    return {name: Decimal(value) for name, value in rows.items() if name.startswith(("total", "available"))}


def position(client: Any) -> dict[str, Any]:
    [row] = client.fapiprivatev2_get_positionrisk({"symbol": "BTCUSDT"})
    return {
        name: Decimal(row[name])
        for name in ("positionAmt", "entryPrice", "isolatedWallet", "unRealizedProfit", "markPrice")
    }


def commission(px: Decimal, qty: Decimal) -> Decimal:
    return (px * qty * Decimal("0.0005")).quantize(STEP, "ROUND_DOWN")


def test_short_pays_commission_and_sets_isolated_margin_aside(fresh: RunningExchange, client: Any) -> None:
    px, _ = depth(fresh, "bids")[0]
    sold = client.create_market_sell_order(PAIR, 0.1)
    assert (sold["status"], sold["average"], sold["filled"]) == ("closed", float(px), 0.1)
    found, qty = position(client), Decimal("0.1")
    assert (found["positionAmt"], found["entryPrice"]) == (-qty, px)
    assert found["isolatedWallet"] == px * qty / 5
    assert found["unRealizedProfit"] == (qty * (px - found["markPrice"])).quantize(STEP)
    totals = account(client)
    assert totals["totalWalletBalance"] == DEPOSIT - commission(px, qty)
    assert totals["availableBalance"] == totals["totalWalletBalance"] - px * qty / 5
    assert totals["totalMarginBalance"] == totals["totalWalletBalance"] + found["unRealizedProfit"]
    [seen] = client.fetch_positions([PAIR])
    assert (seen["side"], seen["contracts"], seen["marginMode"]) == ("short", 0.1, "isolated")
    assert [row["symbol"] for row in client.fapiprivatev3_get_positionrisk()] == ["BTCUSDT"]


def test_closing_realizes_the_difference_and_frees_the_margin(fresh: RunningExchange, client: Any) -> None:
    qty = Decimal("0.1")
    entry = depth(fresh, "bids")[0][0]
    client.create_market_sell_order(PAIR, 0.1)
    fresh.clock.advance_ms(HOUR_MS)
    exits = depth(fresh, "asks")[0][0]
    closed = client.create_market_buy_order(PAIR, 0.1, {"reduceOnly": True})
    assert (closed["filled"], closed["reduceOnly"]) == (0.1, True)
    pnl = (entry - exits) * qty
    [first, last] = client.fetch_my_trades(PAIR)
    assert [Decimal(row["info"]["realizedPnl"]) for row in (first, last)] == [0, pnl]
    assert (last["fee"]["currency"], last["fee"]["cost"]) == ("USDT", float(commission(exits, qty)))
    wallet = DEPOSIT + pnl - commission(entry, qty) - commission(exits, qty)
    totals = account(client)
    assert totals["totalWalletBalance"] == totals["availableBalance"] == wallet
    assert client.fetch_positions() == []
    kinds = [(row["incomeType"], Decimal(row["income"])) for row in client.fapiprivate_get_income()]
    fees = [("COMMISSION", -commission(px, qty)) for px in (entry, exits)]
    assert sorted(kinds) == sorted([*fees, ("REALIZED_PNL", pnl)])


def test_reduce_only_never_opens(fresh: RunningExchange, client: Any) -> None:
    refused = {"code": -2022, "msg": "ReduceOnly Order is rejected."}
    assert order(fresh, side="BUY", type="MARKET", quantity="0.1", reduceOnly="true").json() == refused
    client.create_market_sell_order(PAIR, 0.1)
    assert order(fresh, side="SELL", type="MARKET", quantity="0.1", reduceOnly="true").json() == refused
    row = order(fresh, side="BUY", type="MARKET", quantity="0.3", reduceOnly="true").json()
    assert (row["status"], row["executedQty"], row["origQty"]) == ("EXPIRED", "0.1", "0.3")
    assert position(client)["positionAmt"] == 0


def test_resting_reduce_only_order_ends_with_the_position(fresh: RunningExchange, client: Any) -> None:
    client.create_market_sell_order(PAIR, 0.1)
    bid = float(depth(fresh, "bids")[0][0])
    resting = client.create_limit_buy_order(PAIR, 0.1, round(bid * 0.97, 1), {"reduceOnly": True})
    assert resting["status"] == "open"
    client.create_market_buy_order(PAIR, 0.1)
    assert client.fetch_order(resting["id"], PAIR)["status"] == "expired"
    assert client.fetch_open_orders(PAIR) == []


def test_order_through_zero_closes_then_opens(fresh: RunningExchange, client: Any) -> None:
    client.create_market_sell_order(PAIR, 0.1)
    ask = depth(fresh, "asks")[0][0]
    client.create_market_buy_order(PAIR, 0.15)
    found = position(client)
    assert (found["positionAmt"], found["entryPrice"]) == (Decimal("0.05"), ask)
    assert found["isolatedWallet"] == ask * Decimal("0.05") / 5


def test_funding_is_settled_when_the_clock_passes_the_stamp(fresh: RunningExchange, client: Any) -> None:
    client.create_market_sell_order(PAIR, 0.5)
    before, margin = account(client)["totalWalletBalance"], position(client)["isolatedWallet"]
    fresh.clock.set_ms(NEXT_FUNDING_MS - 1)
    assert client.fetch_funding_history(PAIR) == []
    fresh.clock.set_ms(NEXT_FUNDING_MS + 20 * HOUR_MS)
    rows = fresh.get("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=NEXT_FUNDING_MS - HOUR_MS).json()
    paid = client.fetch_funding_history(PAIR)
    assert [row["timestamp"] for row in paid] == [NEXT_FUNDING_MS + 8 * n * HOUR_MS for n in range(3)]
    amounts = [Decimal(row["info"]["income"]) for row in paid]
    for row, amount in zip(rows, amounts, strict=True):
        fresh.clock.set_ms(row["fundingTime"])
        mark = Decimal(fresh.get("/fapi/v1/premiumIndex", symbol="BTCUSDT").json()["markPrice"])
        due = Decimal(row["fundingRate"]) * mark * Decimal("0.5")
        assert abs(amount - due) < Decimal("1e-4")
        assert amount > 0 or Decimal(row["fundingRate"]) <= 0, "shorts receive a positive rate"
    assert account(client)["totalWalletBalance"] == before + sum(amounts)
    assert position(client)["isolatedWallet"] == margin + sum(amounts)


def test_margin_and_bracket_bound_what_can_be_opened(fresh: RunningExchange, client: Any) -> None:
    client.set_leverage(1, PAIR)
    ask = depth(fresh, "asks")[0][0]
    most = (DEPOSIT / ask).quantize(Decimal("0.001"), "ROUND_DOWN")
    refusal = order(fresh, side="BUY", type="LIMIT", timeInForce="GTC", quantity=most + 1, price=ask).json()
    assert refusal == {"code": -2019, "msg": "Margin is insufficient."}
    with pytest.raises(ccxt.ExchangeError, match="-2019"):
        client.create_market_sell_order(PAIR, float(most + 1))
    resting = order(fresh, side="BUY", type="LIMIT", timeInForce="GTC", quantity="1", price=ask - 200).json()
    assert resting["status"] == "NEW"
    assert account(client)["availableBalance"] == DEPOSIT - (ask - 200)
    assert account(client)["totalOpenOrderInitialMargin"] == ask - 200
    again = order(fresh, side="SELL", type="MARKET", quantity=most - Decimal("0.5")).json()
    assert again["code"] == -2019
    client.cancel_all_orders(PAIR)
    assert account(client)["availableBalance"] == DEPOSIT
    client.set_leverage(125, PAIR)
    too_much = order(
        fresh, side="BUY", type="LIMIT", timeInForce="GTC", quantity="30", price=ask - 200
    ).json()
    assert too_much["code"] == -2027


def test_margin_settings_are_held_by_an_open_position(fresh: RunningExchange, client: Any) -> None:
    client.create_market_sell_order(PAIR, 0.1)
    stamped = {"symbol": "BTCUSDT", "timestamp": fresh.clock.now_ms()}
    kind = send(f"{fresh.url}/fapi/v1/marginType", "POST", sign(stamped | {"marginType": "CROSSED"}))
    assert kind.json()["code"] == -4048
    lower = send(f"{fresh.url}/fapi/v1/leverage", "POST", sign(stamped | {"leverage": 4}))
    assert lower.json()["code"] == -4161
    assert client.set_leverage(6, PAIR)["leverage"] == 6


def test_partial_fill_rests_and_is_found_by_client_id(fresh: RunningExchange, client: Any) -> None:
    px, level_qty = depth(fresh, "bids")[0]
    wanted = level_qty + Decimal("0.005")
    own = {"newClientOrderId": "carry-7"}
    opened = client.create_limit_sell_order(PAIR, float(wanted), float(px), own)
    assert (opened["status"], opened["filled"]) == ("open", float(level_qty))
    found = client.fetch_order(None, PAIR, {"origClientOrderId": "carry-7"})
    assert (found["id"], found["remaining"]) == (opened["id"], pytest.approx(0.005))
    duplicate = order(fresh, side="SELL", type="MARKET", quantity="0.1", **own).json()
    assert duplicate == {"code": -4116, "msg": "ClientOrderId is duplicated."}
    assert order(fresh, "GET", path="openOrder", **{"origClientOrderId": "carry-7"}).json()["cumQty"] == str(
        level_qty
    )
    assert client.cancel_order(opened["id"], PAIR)["status"] == "canceled"
    assert order(fresh, "DELETE", orderId=opened["id"]).json()["code"] == -2011
    assert order(fresh, "GET", orderId=99).json()["code"] == -2013
    fresh.clock.advance_ms(1)
    again = client.create_market_sell_order(PAIR, 0.01, own)
    assert [row["id"] for row in client.fetch_orders(PAIR)] == [opened["id"], again["id"]]
    assert position(client)["positionAmt"] == -level_qty - Decimal("0.01")


def test_post_only_and_answer_forms(fresh: RunningExchange) -> None:
    bid = depth(fresh, "bids")[0][0]
    gtx = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.1"}
    assert order(fresh, **gtx, price=bid).json()["code"] == -5022
    assert order(fresh, **gtx, price=bid + 50).json()["status"] == "NEW"
    told = order(fresh, side="SELL", type="MARKET", quantity="0.1", newOrderRespType="ACK").json()
    assert (told["status"], told["executedQty"]) == ("NEW", "0")
    assert order(fresh, "GET", orderId=told["orderId"]).json()["status"] == "FILLED"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"quantity": "0.1005"}, -1111, "Precision is over the maximum defined for this asset."),
        ({"quantity": "1001"}, -4005, "Quantity greater than max quantity."),
        ({"price": "17000.05"}, -4014, "Price not increased by tick size."),
        ({"price": "20000"}, -4016, "Limit price can't be higher than "),
        ({"price": "15000"}, -4024, "Limit price can't be lower than "),
        (
            {"quantity": "0.005"},
            -4164,
            "Order's notional must be no smaller than 100 (unless you choose reduce only).",
        ),
        ({"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
        ({"type": "LIMIT_MAKER"}, -1116, "Invalid orderType."),
        ({"symbol": "ETHUSDT"}, -1013, "Market is closed."),
    ],
)
def test_refused_order_changes_nothing(
    fresh: RunningExchange, client: Any, params: dict[str, Any], code: int, message: str
) -> None:
    usual: dict[str, Any] = {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "17000",
    }
    answer = order(fresh, **(usual | params))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["msg"].startswith(message)
    assert account(client)["availableBalance"] == DEPOSIT
    assert client.fapiprivate_get_openorders() == []

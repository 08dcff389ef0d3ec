"""Spot orders over real HTTP with real ccxt: execution, partial fills, cancelation, queries, refusals."""

from decimal import Decimal
from typing import Any

import ccxt
import httpx
import pytest

from tests.paper_exchange.clients import send, sign, signed_client
from tests.paper_exchange.conftest import RunningExchange

PAIR = "BTC/USDT"
FEE_RATE = Decimal("0.001")
HOUR_MS = 3_600_000
LOT = Decimal("0.00001")


@pytest.fixture
def client(fresh: RunningExchange) -> Any:
    found = signed_client(fresh.url, fresh.clock)
    found.load_markets()
    return found


def depth(exchange: RunningExchange, side: str) -> list[tuple[Decimal, Decimal]]:
    """Return price and quantity of the book's levels, best first."""
    rows = exchange.get("/api/v3/depth", symbol="BTCUSDT", limit=50).json()[side]
    return [(Decimal(px), Decimal(qty)) for px, qty in rows]


def order(
    exchange: RunningExchange, method: str = "POST", path: str = "order", **params: Any
) -> httpx.Response:
    """Send a signed order request as it stands, without ccxt's rounding and checks."""
    stamped = {"symbol": "BTCUSDT", "timestamp": exchange.clock.now_ms()} | params
    return send(f"{exchange.url}/api/v3/{path}", method, sign(stamped))


def limit_order(exchange: RunningExchange, **params: Any) -> httpx.Response:
    wanted: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return order(exchange, **(wanted | params))


def balances(client: Any) -> Any:
    """Return (free, locked) by asset."""
    rows = client.private_get_account()["balances"]
    return {row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in rows}


def test_market_buy_pays_the_asks_and_the_fee_in_the_base_asset(fresh: RunningExchange, client: Any) -> None:
    (best_px, best_qty), (next_px, _) = depth(fresh, "asks")[:2]
    qty = best_qty + LOT
    row = order(fresh, side="BUY", type="MARKET", quantity=qty).json()
    assert [(Decimal(fill["price"]), Decimal(fill["qty"])) for fill in row["fills"]] == [
        (best_px, best_qty),
        (next_px, LOT),
    ]
    paid = best_px * best_qty + next_px * LOT
    fees = [Decimal(fill["commission"]) for fill in row["fills"]]
    assert {fill["commissionAsset"] for fill in row["fills"]} == {"BTC"}
    assert fees[0] == (best_qty * FEE_RATE).quantize(Decimal("1e-8"))
    assert (row["status"], Decimal(row["cummulativeQuoteQty"]), Decimal(row["executedQty"])) == (
        "FILLED",
        paid,
        qty,
    )
    assert balances(client) == {"BTC": (qty - sum(fees), 0), "USDT": (100_000 - paid, 0)}


def test_market_sell_receives_the_bids_less_the_fee_in_quote(fresh: RunningExchange, client: Any) -> None:
    client.create_market_buy_order(PAIR, 0.01)
    before = balances(client)
    best_px = depth(fresh, "bids")[0][0]
    sold = client.create_market_sell_order(PAIR, 0.005)
    fee = (best_px * Decimal("0.005") * FEE_RATE).quantize(Decimal("1e-8"), "ROUND_DOWN")
    after = balances(client)
    assert (sold["status"], sold["average"]) == ("closed", float(best_px))
    assert [sold["fee"]["currency"], sold["fee"]["cost"]] == ["USDT", float(fee)]
    assert after["USDT"][0] - before["USDT"][0] == best_px * Decimal("0.005") - fee
    assert before["BTC"][0] - after["BTC"][0] == Decimal("0.005")


def test_market_buy_for_an_amount_of_quote_spends_no_more_than_that(
    fresh: RunningExchange, client: Any
) -> None:
    best_px = depth(fresh, "asks")[0][0]
    bought = client.create_order(PAIR, "market", "buy", None, None, {"quoteOrderQty": 123.45})
    spent = 100_000 - balances(client)["USDT"][0]
    assert Decimal("123.45") - best_px * LOT < spent <= Decimal("123.45")
    assert bought["cost"] == float(spent)
    assert bought["amount"] == bought["filled"] > 0


def test_ioc_takes_what_its_limit_allows_and_expires(fresh: RunningExchange, client: Any) -> None:
    best_px, best_qty = depth(fresh, "asks")[0]
    row = limit_order(fresh, timeInForce="IOC", quantity=best_qty + 7 * LOT, price=best_px).json()
    assert (row["status"], Decimal(row["executedQty"])) == ("EXPIRED", best_qty)
    assert balances(client)["USDT"] == (100_000 - best_px * best_qty, 0)
    again = limit_order(fresh, timeInForce="IOC", quantity="0.01", price=best_px).json()
    assert (again["status"], again["executedQty"]) == ("EXPIRED", "0.00000000"), "the level is sold out"
    fresh.clock.advance_ms(1)
    assert (
        limit_order(fresh, timeInForce="IOC", quantity="0.001", price=best_px + 5).json()["status"]
        == "FILLED"
    )


def test_fok_is_all_or_nothing(fresh: RunningExchange, client: Any) -> None:
    best_px, best_qty = depth(fresh, "asks")[0]
    nothing = limit_order(fresh, timeInForce="FOK", quantity=best_qty + LOT, price=best_px).json()
    assert (nothing["status"], nothing["fills"]) == ("EXPIRED", [])
    assert balances(client) == {"USDT": (100_000, 0)}
    everything = limit_order(fresh, timeInForce="FOK", quantity=best_qty, price=best_px).json()
    assert everything["status"] == "FILLED"


def test_rest_of_a_limit_order_locks_its_money_until_canceled(fresh: RunningExchange, client: Any) -> None:
    best_px, best_qty = depth(fresh, "asks")[0]
    wanted = best_qty + Decimal("0.1")
    opened = client.create_limit_buy_order(PAIR, float(wanted), float(best_px))
    assert (opened["status"], opened["filled"]) == ("open", float(best_qty))
    free, locked = balances(client)["USDT"]
    assert locked == best_px * Decimal("0.1")
    assert free == 100_000 - best_px * wanted
    canceled = client.cancel_order(opened["id"], PAIR)
    assert (canceled["status"], canceled["filled"]) == ("canceled", float(best_qty))
    assert balances(client)["USDT"] == (100_000 - best_px * best_qty, 0)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(opened["id"], PAIR)
    assert client.fetch_order(opened["id"], PAIR)["status"] == "canceled"


def test_resting_order_fills_at_its_limit_once_the_price_crosses(fresh: RunningExchange, client: Any) -> None:
    low = min(row[3] for row in client.fetch_ohlcv(PAIR, "5m", limit=1))
    candles = [Decimal(px) for px, _ in depth(fresh, "bids")]
    limit_px = candles[0] * Decimal("0.995")
    limit_px -= limit_px % Decimal("0.01")
    opened = client.create_limit_buy_order(PAIR, 0.2, float(limit_px))
    assert opened["status"] == "open"
    assert low > limit_px
    for _ in range(240):
        fresh.clock.advance_ms(HOUR_MS // 4)
        seen = client.fetch_ohlcv(PAIR, "5m", since=opened["timestamp"], limit=1000)
        reached = any(row[3] < limit_px * Decimal("0.999") for row in seen)
        status = client.fetch_order(opened["id"], PAIR)["status"]
        assert status == "closed" or not reached
        if status == "closed":
            break
    else:
        pytest.fail("the price never came: choose another limit")
    [trade] = client.fetch_my_trades(PAIR)
    assert (trade["price"], trade["amount"], trade["takerOrMaker"]) == (float(limit_px), 0.2, "maker")
    assert opened["timestamp"] < trade["timestamp"] <= fresh.clock.now_ms()
    assert balances(client) == {
        "BTC": (Decimal("0.1998"), 0),
        "USDT": (100_000 - limit_px * Decimal("0.2"), 0),
    }


def test_post_only_order_never_takes(fresh: RunningExchange, client: Any) -> None:
    ask = float(depth(fresh, "asks")[0][0])
    with pytest.raises(ccxt.InvalidOrder, match="immediately match and take"):
        client.create_order(PAIR, "limit", "buy", 0.01, ask, {"postOnly": True})
    resting = client.create_order(PAIR, "limit", "buy", 0.01, ask - 1, {"postOnly": True})
    assert client.fetch_order(resting["id"], PAIR)["type"] == "limit"
    assert [row["id"] for row in client.fetch_open_orders(PAIR)] == [resting["id"]]


def test_orders_are_found_by_either_id_and_listed(fresh: RunningExchange, client: Any) -> None:
    bid = float(depth(fresh, "bids")[0][0])
    first = client.create_limit_buy_order(PAIR, 0.01, bid - 500, {"newClientOrderId": "carry-1"})
    second = client.create_market_buy_order(PAIR, 0.01)
    found = client.fetch_order(None, PAIR, {"origClientOrderId": "carry-1"})
    assert (found["id"], found["clientOrderId"], found["status"]) == (first["id"], "carry-1", "open")
    assert [row["id"] for row in client.fetch_orders(PAIR)] == [first["id"], second["id"]]
    assert [row["id"] for row in client.fetch_orders(PAIR, limit=1)] == [second["id"]]
    assert [row["id"] for row in client.fetch_open_orders(PAIR)] == [first["id"]]
    assert client.fetch_open_orders("SOL/USDT") == []
    assert {row["order"] for row in client.fetch_my_trades(PAIR)} == {second["id"]}
    for wanted in ({"origClientOrderId": "carry-2"}, {"orderId": 99}):
        answer = order(fresh, "GET", **wanted)
        assert (answer.status_code, answer.json()) == (400, {"code": -2013, "msg": "Order does not exist."})
    other = order(fresh, "GET", symbol="SOLUSDT", orderId=first["id"])
    assert other.json()["code"] == -2013
    assert order(fresh, "GET").json()["code"] == -1102
    assert [row["clientOrderId"] for row in client.cancel_all_orders(PAIR)] == ["cancel-1"]
    assert order(fresh, "DELETE", path="openOrders").json()["code"] == -2011


def test_client_id_is_unique_among_open_orders_only(fresh: RunningExchange, client: Any) -> None:
    bid = float(depth(fresh, "bids")[0][0])
    own = {"newClientOrderId": "carry-1"}
    client.create_market_buy_order(PAIR, 0.01, own)
    again = client.create_market_buy_order(PAIR, 0.01, own)
    assert sum(row["filled"] for row in client.fetch_orders(PAIR)) == 0.02, "a filled id is filled twice"
    assert client.fetch_order(None, PAIR, {"origClientOrderId": "carry-1"})["id"] == again["id"]
    client.create_limit_buy_order(PAIR, 0.01, bid - 500, own)
    answer = limit_order(fresh, quantity="0.01", price=30000, newClientOrderId="carry-1")
    assert (answer.status_code, answer.json()) == (400, {"code": -2010, "msg": "Duplicate order sent."})


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"price": "40000.005"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "1000.00"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"price": "900000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.00002"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "226"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"quantity": "9"}, -2010, "Account has insufficient balance for requested action."),
        ({"side": "SELL"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "1e3"}, -1100, "Illegal characters found in parameter 'quantity'; legal range is "),
        ({"newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'newClientOrderId'; "),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        ({"timeInForce": ""}, -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or "),
        ({"type": "MARKET"}, -1106, "Parameter 'price' sent when not required."),
        ({"symbol": "ETHUSDC"}, -1121, "Invalid symbol."),
        ({"symbol": "ETHUSDT"}, -1013, "Market is closed."),
    ],
)
def test_refused_order_changes_nothing(
    fresh: RunningExchange, client: Any, params: dict[str, Any], code: int, message: str
) -> None:
    answer = limit_order(fresh, **({"quantity": "0.1", "price": "40000"} | params))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["msg"].startswith(message)
    assert balances(client) == {"USDT": (100_000, 0)}
    assert client.private_get_openorders() == []


def test_market_order_bounds(fresh: RunningExchange, client: Any) -> None:
    def refusal(**params: Any) -> tuple[int, str]:
        body = order(fresh, side="BUY", type="MARKET", **params).json()
        return body["code"], body["msg"]

    assert refusal(quantity="300") == (-1013, "Filter failure: MARKET_LOT_SIZE")
    assert refusal(quoteOrderQty="9.99") == (-1013, "Filter failure: NOTIONAL")
    assert refusal(quantity="0.1", quoteOrderQty="100")[0] == -1106
    assert refusal()[0] == -1102
    assert refusal(quantity="200")[0] == -2010
    assert balances(client) == {"USDT": (100_000, 0)}


def test_answer_forms(fresh: RunningExchange) -> None:
    def keys(form: str) -> set[str]:
        return set(order(fresh, side="BUY", type="MARKET", quantity="0.001", newOrderRespType=form).json())

    assert keys("ACK") == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert keys("FULL") - keys("RESULT") == {"fills"}
    assert keys("RESULT") > keys("ACK")
    assert keys("BRIEF") == {"code", "msg"}

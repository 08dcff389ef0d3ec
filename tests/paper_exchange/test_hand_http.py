"""The manual hand: trades, deposits and withdrawals that the rehearsed client did not make."""

from decimal import Decimal
from typing import Any

import ccxt
import httpx
import pytest

from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, SPOT, Rehearsal


@pytest.fixture
def rehearsal(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


def refusal(rehearsal: Rehearsal, body: dict[str, Any]) -> tuple[int, int]:
    answer = httpx.post(f"{rehearsal.exchange.url}/_control/hand", json=body)
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("venue", "symbol"), [("spot", SPOT), ("perp", PERP)])
def test_trade_by_hand_is_an_order_like_any_other(rehearsal: Rehearsal, venue: str, symbol: str) -> None:
    row = rehearsal.post("hand", {"venue": venue, "symbol": "BTCUSDT", "side": "BUY", "qty": "0.1"})
    assert (row["status"], row["clientOrderId"], Decimal(row["executedQty"])) == (
        "FILLED",
        "web_1",
        Decimal("0.1"),
    )
    [trade] = rehearsal.client.fetch_my_trades(symbol)
    assert trade["amount"] == 0.1
    assert [(row["event"], row["client_id"], row["venue"]) for row in rehearsal.audit()] == [
        ("taken", "web_1", venue),
        ("filled", "web_1", venue),
    ]


def test_position_and_spot_are_closed_by_hand(rehearsal: Rehearsal) -> None:
    rehearsal.client.create_market_sell_order(PERP, 0.1)
    rehearsal.buy(0.1)
    for venue, side in (("perp", "BUY"), ("spot", "SELL")):
        rehearsal.post("hand", {"venue": venue, "symbol": "BTCUSDT", "side": side, "qty": "all"})
    assert rehearsal.client.fetch_positions([PERP]) == []
    assert rehearsal.client.fetch_balance()["BTC"]["total"] < 0.00001
    taken = [row for row in rehearsal.audit() if row["event"] == "taken"][2:]
    assert [(row["client_id"], Decimal(row["qty"]), row["reduce_only"]) for row in taken] == [
        ("web_1", Decimal("0.1"), True),
        ("web_2", Decimal("0.0999"), False),
    ]


def test_limit_order_by_hand_rests(rehearsal: Rehearsal) -> None:
    order = {"venue": "spot", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.1, "client_id": "x-manual"}
    assert rehearsal.post("hand", order | {"limit_px": "15000"})["status"] == "NEW"
    [resting] = rehearsal.client.fetch_open_orders(SPOT)
    assert (resting["clientOrderId"], resting["price"]) == ("x-manual", 15_000)


@pytest.mark.parametrize(("wallet", "kind"), [("spot", "spot"), ("perp", "swap")])
def test_deposit_and_withdrawal_change_the_balance_and_are_told(
    rehearsal: Rehearsal, wallet: str, kind: str
) -> None:
    move = {"asset": "USDT", "amount": "50.5", "wallet": wallet}
    rehearsal.post("hand", {"deposit": move})
    assert rehearsal.client.fetch_balance({"type": kind})["USDT"]["total"] == 100_050.5
    answer = rehearsal.post("hand", {"withdraw": move | {"amount": 100_000}})
    assert answer == {"wallet": wallet, "asset": "USDT", "amount": "-100000"}
    assert rehearsal.client.fetch_balance({"type": kind})["USDT"]["total"] == 50.5
    assert [(row["event"], row["venue"], row["amount"]) for row in rehearsal.audit()] == [
        ("deposited", wallet, "50.5"),
        ("withdrawn", wallet, "100000"),
    ]


@pytest.mark.parametrize("wallet", ["spot", "perp"])
def test_no_more_is_withdrawn_than_is_free(rehearsal: Rehearsal, wallet: str) -> None:
    rehearsal.client.create_limit_buy_order(SPOT, 0.1, 15_000)
    rehearsal.buy(venue=PERP)
    move = {"asset": "USDT", "amount": "100000", "wallet": wallet}
    told = rehearsal.told()
    assert refusal(rehearsal, {"withdraw": move}) == (400, -4026)
    assert rehearsal.told() == told


def test_refusals_of_the_hand(rehearsal: Rehearsal) -> None:
    trade = {"venue": "spot", "symbol": "BTCUSDT", "side": "SELL", "qty": "1"}
    assert refusal(rehearsal, trade) == (400, -2010)
    assert refusal(rehearsal, trade | {"symbol": "NOPE"}) == (400, -1121)
    assert refusal(rehearsal, trade | {"side": "BUY", "qty": "all"}) == (400, -1130)
    for body in ({}, trade | {"qty": "-1"}, trade | {"price": "1"}, {"venue": "spot"}):
        assert refusal(rehearsal, body) == (422, -1130)


def test_faults_meet_the_client_and_not_the_hand(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "error_before", "preset": "spot-2010"}, times=None)
    rehearsal.post("hand", {"venue": "spot", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.1"})
    with pytest.raises(ccxt.InsufficientFunds):
        rehearsal.buy()

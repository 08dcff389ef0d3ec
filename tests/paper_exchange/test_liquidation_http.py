"""Liquidation and auto-deleveraging over HTTP: at the shown price, never for more than the pool's money."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from paper_exchange.brackets import bracket_of
from paper_exchange.instruments import Venue, instrument
from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, Rehearsal

DAY_MS = 86_400_000
DEPOSIT = Decimal(100_000)
FEE_RATE = Decimal("0.0005")
CLEAR_RATE = instrument(Venue.PERP, "BTC", "USDT").filters.liquidation_fee_rate


@pytest.fixture
def desk(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


def position(desk: Rehearsal) -> dict[str, Any]:
    [row] = desk.client.fapiprivatev2_get_positionrisk({"symbol": "BTCUSDT"})
    found: dict[str, Any] = row
    return found


def wallet(desk: Rehearsal) -> Decimal:
    return Decimal(desk.client.fapiprivatev3_get_account()["totalWalletBalance"])


def incomes(desk: Rehearsal) -> list[tuple[str, Decimal]]:
    rows = desk.client.fapiprivate_get_income({"limit": 1000})
    return [(row["incomeType"], Decimal(row["income"])) for row in rows]


def open_position(desk: Rehearsal, mode: str, side: str, qty: float = 0, leverage: int = 0) -> None:
    """Open by market; without a quantity one that the price of the next days liquidates."""
    if mode == "isolated":
        desk.client.set_margin_mode(mode, PERP)
    elif not qty:
        desk.post("hand", {"withdraw": {"asset": "USDT", "amount": "90000", "wallet": "perp"}})
    desk.client.set_leverage(leverage or (125 if mode == "isolated" else 50), PERP)
    desk.client.create_order(PERP, "market", side, qty or (1 if mode == "isolated" else 20))


def until_liquidated(desk: Rehearsal, step_ms: int = 30 * 60_000) -> tuple[dict[str, Any], dict[str, Any]]:
    """Walk until the position is gone; return the last row shown with it, and the audit's event."""
    for _ in range(4 * DAY_MS // step_ms):
        before = position(desk)
        desk.exchange.clock.advance_ms(step_ms)
        if not Decimal(position(desk)["positionAmt"]):
            [event] = [row for row in desk.audit() if row["event"] == "liquidated"]
            return before, event
    pytest.fail("the price never came to the liquidation price")


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("mode", ["isolated", "cross"])
def test_position_is_liquidated_at_the_price_that_was_shown(desk: Rehearsal, mode: str, side: str) -> None:
    open_position(desk, mode, side)
    shown, event = until_liquidated(desk)
    shown_px, mark_px, px = (
        Decimal(text) for text in (shown["liquidationPrice"], event["mark_px"], event["px"])
    )
    within = (
        Decimal("1.5") if mode == "isolated" else Decimal("2")
    )  # the price's way in a millisecond, funding
    assert abs(mark_px - shown_px) < within
    assert (px >= mark_px) == (side == "sell")
    assert abs(px - mark_px) < Decimal("0.1")
    beyond = mark_px >= shown_px - within if side == "sell" else mark_px <= shown_px + within
    assert beyond
    assert Decimal(shown["markPrice"]) * (1 if side == "sell" else -1) < shown_px * (
        1 if side == "sell" else -1
    )


def test_isolated_liquidation_costs_the_margin_and_not_more(desk: Rehearsal) -> None:
    open_position(desk, "isolated", "sell")
    before, margin = wallet(desk), Decimal(position(desk)["isolatedWallet"])
    assert margin > 0
    resting = desk.client.create_limit_sell_order(PERP, 0.1, float(position(desk)["markPrice"][:7]) + 700)
    shown, event = until_liquidated(desk)
    lost = before - wallet(desk)
    funding = sum(amount for kind, amount in incomes(desk) if kind == "FUNDING_FEE")
    assert Decimal(shown["isolatedWallet"]) == margin + funding
    assert lost == margin, "the clearance fee of 1.25 % takes what 0.4 % of maintenance margin leave"
    assert wallet(desk) == DEPOSIT + sum(amount for _, amount in incomes(desk))
    row = position(desk)
    assert (row["isolatedWallet"], row["liquidationPrice"]) == ("0.00000000", "0.00000000")
    assert desk.client.fetch_order(resting["id"], PERP)["status"] == "expired"
    assert desk.client.fetch_open_orders(PERP) == []
    assert Decimal(desk.client.fapiprivatev3_get_account()["availableBalance"]) == wallet(desk)
    [forced] = desk.client.fapiprivate_get_forceorders({"autoCloseType": "LIQUIDATION"})
    assert forced["clientOrderId"].startswith("autoclose-")
    assert (forced["status"], forced["side"], forced["executedQty"]) == ("FILLED", "BUY", "1")
    assert forced["clientOrderId"] == event["client_id"]
    assert desk.client.fapiprivate_get_forceorders({"autoCloseType": "ADL"}) == []
    fills = desk.client.fetch_my_trades(PERP)
    assert sum(Decimal(row["info"]["qty"]) for row in fills if row["side"] == "buy") == 1


def test_cross_liquidation_leaves_what_the_fees_do_not_take(desk: Rehearsal) -> None:
    open_position(desk, "cross", "sell")
    _, event = until_liquidated(desk)
    px, notional = Decimal(event["px"]), Decimal(event["px"]) * 20
    maintenance = bracket_of("BTC", notional).maintenance_margin(notional)
    left = wallet(desk)
    slipped = abs(px - Decimal(event["mark_px"])) * 20 + 20  # rounding to the tick, and a millisecond
    due = (FEE_RATE + CLEAR_RATE) * notional
    assert abs(left - max(maintenance - due, Decimal(0))) < slipped
    assert left == DEPOSIT + sum(amount for _, amount in incomes(desk))
    assert left < 10_000
    assert desk.client.fetch_positions() == []
    assert [kind for kind, _ in incomes(desk)].count("INSURANCE_CLEAR") == 1


def test_lower_leverage_survives_the_same_path(desk: Rehearsal) -> None:
    open_position(desk, "isolated", "sell", 1.0, 2)
    shown = Decimal(position(desk)["liquidationPrice"])
    entry = Decimal(position(desk)["entryPrice"])
    assert Decimal("1.48") < shown / entry < Decimal("1.5")
    desk.exchange.clock.advance_ms(4 * DAY_MS)
    assert Decimal(position(desk)["positionAmt"]) == -1
    assert [row for row in desk.audit() if row["event"] == "liquidated"] == []


def test_one_times_long_has_no_liquidation_price(desk: Rehearsal) -> None:
    open_position(desk, "cross", "buy", 0.1, 1)
    assert position(desk)["liquidationPrice"] == "0.00000000"


def test_adl_closes_a_share_at_the_mark(desk: Rehearsal) -> None:
    open_position(desk, "isolated", "sell", 0.5, 5)
    resting = desk.client.create_limit_buy_order(PERP, 0.5, 17_000, {"reduceOnly": True})
    mark = Decimal(position(desk)["markPrice"])
    margin = Decimal(position(desk)["isolatedWallet"])
    answer = desk.post("adl", {"symbol": "BTCUSDT", "share": "0.5"})
    assert (answer["clientOrderId"], answer["executedQty"], answer["side"]) == (
        "adl_autoclose",
        "0.25",
        "BUY",
    )
    assert abs(Decimal(answer["avgPrice"]) - mark) <= Decimal("0.05")
    row = position(desk)
    assert (row["positionAmt"], Decimal(row["isolatedWallet"])) == ("-0.25", margin / 2)
    assert desk.client.fetch_order(resting["id"], PERP)["status"] == "expired"
    [event] = [row for row in desk.audit() if row["event"] == "deleveraged"]
    assert (event["client_id"], event["qty"]) == ("adl_autoclose", "0.25")
    [forced] = desk.client.fapiprivate_get_forceorders()
    assert forced["orderId"] == answer["orderId"]
    desk.post("adl", {"symbol": "BTCUSDT"})
    assert Decimal(position(desk)["positionAmt"]) == 0
    assert wallet(desk) == DEPOSIT + sum(amount for _, amount in incomes(desk))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"symbol": "BTCUSDT"}, -2022),
        ({"symbol": "XUSDT"}, -1121),
        ({"symbol": "BTCUSDT", "share": "2"}, None),
    ],
)
def test_adl_refuses_what_it_cannot_do(desk: Rehearsal, body: dict[str, Any], code: int | None) -> None:
    answer = httpx.post(f"{desk.exchange.url}/_control/adl", json=body)
    assert answer.status_code in {400, 422}
    assert code is None or answer.json()["code"] == code

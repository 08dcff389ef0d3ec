"""Faults of the market itself: partial fills, cancel races, a skewed clock, halts."""

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, PERP_ORDER, SPOT, SPOT_ORDER, Rehearsal

DAY_MS = 86_400_000
VENUES = [(SPOT, SPOT_ORDER, "spot"), (PERP, PERP_ORDER, "perp")]


@pytest.fixture
def rehearsal(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


def best_ask(rehearsal: Rehearsal, venue: str) -> float:
    return float(rehearsal.client.fetch_order_book(venue, 5)["asks"][0][0])


@pytest.mark.parametrize(("venue", "path", "name"), VENUES)
@pytest.mark.parametrize(("share", "filled"), [(0.35, "0.035"), (0, "0"), (1, "0.1")])
def test_market_order_is_filled_in_part_and_expires(
    rehearsal: Rehearsal, venue: str, path: str, name: str, share: float, filled: str
) -> None:
    rehearsal.plan({"kind": "partial_fill", "share": share}, path=path)
    rehearsal.buy(0.1, venue=venue)
    bought = rehearsal.client.fetch_order(None, venue, {"origClientOrderId": "mine"})
    assert Decimal(str(bought["filled"])) == Decimal(filled)
    events = [row for row in rehearsal.audit() if row["event"] != "fault"]
    assert sum((Decimal(row["qty"]) for row in events if row["event"] == "filled"), Decimal(0)) == Decimal(
        filled
    )
    assert (bought["status"], events[-1]["event"]) == (
        ("closed", "filled") if share == 1 else ("expired", "ended")
    )


def test_share_is_rounded_down_to_the_lot(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "partial_fill", "share": "0.999"}, path=PERP_ORDER)
    rehearsal.buy(0.009, venue=PERP)
    assert [row["qty"] for row in rehearsal.audit() if row["event"] == "filled"] == ["0.008"]


@pytest.mark.parametrize(("venue", "path", "name"), VENUES)
def test_rest_of_a_limit_order_waits_until_it_is_canceled(
    rehearsal: Rehearsal, venue: str, path: str, name: str
) -> None:
    rehearsal.plan({"kind": "partial_fill", "share": 0.5}, path=path)
    px = best_ask(rehearsal, venue) * 1.02
    opened = rehearsal.client.create_limit_buy_order(venue, 0.1, px)
    rehearsal.exchange.clock.advance_ms(DAY_MS)
    found = rehearsal.client.fetch_order(opened["id"], venue)
    assert (found["status"], found["filled"]) == ("open", 0.05)
    rehearsal.client.cancel_order(opened["id"], venue)
    assert rehearsal.audit()[-1]["filled_qty"] == "0.05"


def test_rest_of_a_limit_order_is_filled_after_its_wait(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "partial_fill", "share": 0.5, "rest_ms": 60_000}, path=SPOT_ORDER)
    opened = rehearsal.client.create_limit_buy_order(SPOT, 0.1, best_ask(rehearsal, SPOT) * 1.02)
    started_ms = rehearsal.exchange.clock.now_ms()
    rehearsal.exchange.clock.advance_ms(59_999)
    assert rehearsal.client.fetch_order(opened["id"], SPOT)["status"] == "open"
    rehearsal.exchange.clock.advance_ms(60_000)
    assert rehearsal.client.fetch_order(opened["id"], SPOT)["status"] == "closed"
    assert rehearsal.audit()[-1]["at_ms"] == started_ms + 60_000


def test_next_order_is_not_thinned(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "partial_fill", "share": 0}, path=SPOT_ORDER)
    rehearsal.buy(client_id="thin")
    assert rehearsal.buy(client_id="whole")["status"] == "closed"


@pytest.mark.parametrize(("venue", "path", "name"), VENUES)
def test_cancelation_loses_the_race_against_a_fill(
    rehearsal: Rehearsal, venue: str, path: str, name: str
) -> None:
    px = round(best_ask(rehearsal, venue) * 0.95, 1)
    opened = rehearsal.client.create_limit_buy_order(venue, 0.1, px)
    rehearsal.plan("cancel_race", path=path)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        rehearsal.client.cancel_order(opened["id"], venue)
    assert rehearsal.told() == ["taken", "cancel_race", "filled"]
    filled = rehearsal.audit()[-1]
    assert (filled["venue"], filled["qty"], float(filled["px"]), filled["maker"]) == (name, "0.1", px, True)
    assert rehearsal.client.fetch_order(opened["id"], venue)["status"] == "closed"


def test_cancelation_that_wins_half_of_the_race(rehearsal: Rehearsal) -> None:
    px = round(best_ask(rehearsal, SPOT) * 0.95, 2)
    rehearsal.client.create_limit_buy_order(SPOT, 0.1, px, {"newClientOrderId": "mine"})
    rehearsal.plan({"kind": "cancel_race", "share": 0.5}, path=SPOT_ORDER)
    canceled = rehearsal.client.cancel_order(None, SPOT, {"origClientOrderId": "mine"})
    assert (canceled["status"], canceled["filled"]) == ("canceled", 0.05)
    assert rehearsal.told() == ["taken", "cancel_race", "filled", "ended"]


def test_skewed_clock_refuses_timestamps_until_it_is_right_again(rehearsal: Rehearsal) -> None:
    true_ms = rehearsal.exchange.clock.now_ms()
    fault = {"kind": "clock_skew", "skew_ms": -3_000, "for_ms": 60_000}
    rehearsal.plan(fault, path=SPOT_ORDER)
    with pytest.raises(ccxt.InvalidNonce, match="ahead of the server"):
        rehearsal.buy()
    assert rehearsal.told() == ["clock_skew"]
    assert rehearsal.client.fetch_time() == true_ms - 3_000
    with pytest.raises(ccxt.InvalidNonce):
        rehearsal.buy(venue=PERP)
    rehearsal.exchange.clock.advance_ms(60_000)
    assert rehearsal.client.fetch_time() == true_ms + 60_000
    assert rehearsal.buy()["status"] == "closed"


def test_late_clock_is_outside_of_the_window(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "clock_skew", "skew_ms": 11_000}, path="/api/v3/ping")
    rehearsal.exchange.get("/api/v3/ping")
    with pytest.raises(ccxt.InvalidNonce, match="recvWindow"):
        rehearsal.buy()
    rehearsal.post("faults", {"rules": [], "replace": True})
    assert rehearsal.buy()["status"] == "closed"


@pytest.mark.parametrize(("venue", "path", "name"), VENUES)
def test_halted_symbol_takes_no_orders_and_fills_none(
    rehearsal: Rehearsal, venue: str, path: str, name: str
) -> None:
    resting = rehearsal.client.create_limit_buy_order(venue, 0.1, best_ask(rehearsal, venue) * 0.999)
    fault = {"kind": "halt", "venue": name, "symbol": "BTCUSDT", "for_ms": 2 * DAY_MS}
    rehearsal.plan(fault, path="*/ping")
    rehearsal.exchange.get("/api/v3/ping")
    started_ms = rehearsal.exchange.clock.now_ms()
    with pytest.raises(ccxt.MarketClosed, match="Market is closed"):
        rehearsal.buy(venue=venue)
    assert rehearsal.told() == ["taken", "halt", "refused"]
    assert statuses(rehearsal, path) == {"BTCUSDT": "BREAK", "SOLUSDT": "TRADING"}
    rehearsal.exchange.clock.advance_ms(2 * DAY_MS - 1)
    assert rehearsal.client.fetch_order(resting["id"], venue)["status"] == "open"
    rehearsal.exchange.clock.advance_ms(DAY_MS)
    assert rehearsal.client.fetch_order(resting["id"], venue)["status"] == "closed"
    assert rehearsal.audit()[-1]["at_ms"] >= started_ms + 2 * DAY_MS
    assert statuses(rehearsal, path)["BTCUSDT"] == "TRADING"


def test_halt_is_one_market_s_and_ends_when_cleared(rehearsal: Rehearsal) -> None:
    rehearsal.plan({"kind": "halt", "venue": "spot", "symbol": "BTCUSDT"}, path=PERP_ORDER)
    rehearsal.buy(venue=PERP)
    state = rehearsal.exchange.get("/_control/faults").json()["state"]
    assert state["halted"] == [{"venue": "spot", "symbol": "BTCUSDT"}]
    with pytest.raises(ccxt.MarketClosed):
        rehearsal.buy()
    rehearsal.post("faults", {"rules": [], "replace": True})
    assert rehearsal.buy()["status"] == "closed"


def statuses(rehearsal: Rehearsal, path: str) -> dict[str, Any]:
    """Return the status of two symbols of the market that a path belongs to."""
    info = rehearsal.exchange.get(path.replace("order", "exchangeInfo")).json()["symbols"]
    return {row["symbol"]: row["status"] for row in info if row["symbol"] in {"BTCUSDT", "SOLUSDT"}}

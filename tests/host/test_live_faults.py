"""The faults to survive, over HTTP: the real bot, real ccxt, the exchange's fault plan (RELIABILITY)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedge_leg.core.states import State
from tests.host.live_harness import PAIR, Rig
from tests.host.live_world import (
    PERP_POST,
    SPOT_LOOK,
    SPOT_POST,
    assert_settled,
    killed_and_settled,
    loop_safely,
    opened,
    rule,
    settle,
    spot_orders,
    world,
)
from tests.soak.books import differences

HALT = rule({"path": "/api/v3/*"}, {"kind": "halt", "venue": "spot", "symbol": "BTCUSDT"})
NO_SPOT = Decimal("0.00001")
LOST_SPOT_ANSWERS: dict[str, list[dict[str, Any]]] = {
    "accepted then timed out": [rule(SPOT_POST, "lose_answer")],
    "request lost": [rule(SPOT_POST, "lose_request")],
    "-1007 after acceptance": [rule(SPOT_POST, {"kind": "error_after", "preset": "spot-1007"})],
    "-1006 before acceptance": [rule(SPOT_POST, {"kind": "error_before", "preset": "spot-1006"})],
    "502 after acceptance": [rule(SPOT_POST, {"kind": "error_after", "preset": "spot-502"})],
    "unparsable": [rule(SPOT_POST, {"kind": "unparsable"})],
    "html": [rule(SPOT_POST, {"kind": "unparsable", "form": "html", "handled": False})],
    "dropped in the middle": [rule(SPOT_POST, "drop_mid_answer")],
    "delayed": [rule(SPOT_POST, {"kind": "delay_answer", "hold_ms": 30})],
    "not found, then found": [rule(SPOT_POST, "lose_answer"), rule(SPOT_LOOK, "not_found", times=3)],
    "lost, and looking fails": [
        rule(SPOT_POST, "lose_answer"),
        rule(SPOT_LOOK, {"kind": "error_before", "preset": "spot-503"}, times=3),
    ],
    "answer refers to a stale book": [
        rule({"path": "/api/v3/depth"}, {"kind": "error_before", "preset": "spot-503"})
    ],
}


@pytest.mark.parametrize("name", sorted(LOST_SPOT_ANSWERS))
def test_a_spot_answer_that_is_lost_ends_hedged_with_one_fill(tmp_path: Path, name: str) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(*LOST_SPOT_ANSWERS[name])
        loop_safely(made, 4)
        assert_settled(made)
        carry = made.carry()
        assert carry.state is State.ACTIVE
        filled = [row for row in made.exchange.audit("filled") if row["venue"] == "spot"]
        assert len({row["order_id"] for row in filled}) == 1


@pytest.mark.parametrize("name", sorted(LOST_SPOT_ANSWERS))
def test_a_kill_while_a_spot_answer_is_missing_ends_in_order(tmp_path: Path, name: str) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(*LOST_SPOT_ANSWERS[name])
        made.engine.policy = made.engine.policy.__class__(open_timeout_ms=1)
        loop_safely(made)
        killed_and_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE), "hedged, or rolled back when it was late"


def test_an_entry_that_timed_out_on_the_perp_is_adopted_closed_and_cooled_down(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(PERP_POST, "lose_answer"))
        loop_safely(made, 6)
        carry = made.carry()
        assert made.engine.perp.short_qty(PAIR) == 0
        assert carry.closed is not None
        assert carry.closed.cool_down_until_ms > made.engine.clock.now_ms()
        assert_settled(made)
        assert len(made.engine.carries) == 1, "no new entry while it cools down"


def test_an_entry_that_never_reached_the_perp_ends_on_proof(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(PERP_POST, "lose_request"))
        loop_safely(made, 4)
        first = next(iter(made.engine.carries.values()))
        assert first.closed is not None
        assert first.closed.reason == "no perp order was placed"
        assert_settled(made)


def test_an_unreadable_answer_to_the_perp_entry_is_found_by_its_order_and_hedged(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(PERP_POST, {"kind": "unparsable"}))
        loop_safely(made, 16, 10.0)
        assert_settled(made)
        assert made.carry().state is State.ACTIVE
        assert made.trade().amount == float(made.carry().short_qty)


def exit_now(made: Rig) -> None:
    """Ask freqtrade to leave, as a user does; a refusal is what the test looks at."""
    from freqtrade.rpc import RPC, RPCException

    assert made.bot is not None
    try:
        RPC(made.bot)._rpc_force_exit("1")
    except (RPCException, Exception) as error:
        made.messages.append(f"refused: {error}")


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request", "drop_mid_answer", {"kind": "unparsable"}])
def test_an_exit_whose_perp_answer_is_lost_ends_flat_and_booked(tmp_path: Path, fault: Any) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(rule(PERP_POST, fault))
        exit_now(made)
        loop_safely(made, 12)
        if made.trade().is_open:
            exit_now(made)
        settle(made)
        assert made.engine.perp.short_qty(PAIR) in (0, made.carry().short_qty)
        assert_settled(made)


def test_a_spot_sale_that_is_refused_refuses_the_exit_and_says_why(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(rule(SPOT_POST, {"kind": "refuse", "preset": "spot-2010"}, times=2))
        exit_now(made)
        assert made.carry().state is State.ACTIVE
        assert made.trade().is_open
        assert any("exit (force_exit) refused" in text for text in made.messages)
        assert_settled(made)


def test_a_spot_sale_whose_answer_is_lost_does_not_close_the_perp_before_it_is_known(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(
            rule(SPOT_POST, "lose_answer"),
            rule(SPOT_LOOK, {"kind": "error_before", "preset": "spot-503"}, times=8),
        )
        exit_now(made)
        assert_settled(made)
        assert made.carry().state in (State.IDLE, State.ACTIVE)


def test_a_partial_fill_then_a_refusal_rolls_back_both_legs(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(
            rule(SPOT_POST, {"kind": "partial_fill", "share": 0.4}),
            rule(SPOT_POST, {"kind": "refuse", "preset": "spot-2010"}, times=3),
        )
        loop_safely(made, 6)
        assert_settled(made)
        first = next(iter(made.engine.carries.values()))
        assert first.rollbacks == 1
        assert first.closed is not None


def test_a_halted_spot_market_refuses_the_entry(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(HALT)
        loop_safely(made, 3)
        assert made.engine.perp.short_qty(PAIR) == 0 or made.carry().rollbacks == 1
        assert_settled(made)


def test_a_spot_market_halted_at_the_exit_refuses_it_and_the_pair_stays_hedged(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(HALT)
        exit_now(made)
        assert made.trade().is_open
        assert made.engine.perp.short_qty(PAIR) == made.carry().short_qty
        assert_settled(made)
        assert made.carry().state is State.ACTIVE


@pytest.mark.parametrize("share", ["1", "0.5"])
def test_auto_deleveraging_sells_the_excess_spot(tmp_path: Path, share: str) -> None:
    with world(tmp_path) as made:
        opened(made)
        before = made.carry().short_qty
        made.exchange.post("adl", {"symbol": "BTCUSDT", "share": float(share)})
        loop_safely(made, 8)
        settle(made)
        assert made.engine.perp.short_qty(PAIR) < before
        assert_settled(made)


def test_a_perp_closed_by_hand_sells_the_spot(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.post("hand", {"venue": "perp", "symbol": "BTCUSDT", "side": "BUY", "qty": "all"})
        loop_safely(made, 8)
        assert made.spot("BTC") < NO_SPOT * 2
        assert_settled(made)


def test_spot_sold_by_hand_halts_with_an_alarm_and_trades_nothing(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        orders = len(spot_orders(made))
        made.exchange.post("hand", {"venue": "spot", "symbol": "BTCUSDT", "side": "SELL", "qty": "all"})
        loop_safely(made, 6, 61.0)
        assert made.carry().state is State.HALTED
        assert any("HALTED" in text for text in made.messages)
        assert len(spot_orders(made)) == orders + 1, "the hand's own order and no other"


@pytest.mark.parametrize(
    ("fault", "times"),
    [("stale", 1), ({"kind": "error_before", "preset": "spot-503"}, 4), ("lose_answer", 4)],
)
def test_a_balance_read_that_fails_or_is_stale_trades_nothing(tmp_path: Path, fault: Any, times: int) -> None:
    with world(tmp_path) as made:
        opened(made)
        orders = len(spot_orders(made))
        made.exchange.plan(rule({"method": "GET", "path": "/api/v3/account"}, fault, times=times))
        loop_safely(made, 6, 61.0)
        assert made.carry().state is State.ACTIVE
        assert len(spot_orders(made)) == orders
        assert_settled(made)


@pytest.mark.parametrize("skew_ms", [-2_000, 15_000])
def test_a_skewed_clock_ends_hedged_or_flat(tmp_path: Path, skew_ms: int) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(SPOT_POST, {"kind": "clock_skew", "skew_ms": skew_ms, "for_ms": 20_000}))
        loop_safely(made, 6)
        assert_settled(made)


def test_a_rate_limit_during_a_rollback_ends_flat(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(
            rule(SPOT_POST, {"kind": "partial_fill", "share": 0.5}),
            rule(SPOT_POST, {"kind": "error_before", "preset": "spot-429"}, times=4),
        )
        loop_safely(made, 8)
        assert_settled(made)


def test_an_order_that_the_network_doubles_is_sold_again(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(SPOT_POST, "duplicate"))
        loop_safely(made, 4)
        settle(made)
        taken = [(row["client_id"], row["side"], row["order_id"]) for row in spot_orders(made)]
        assert taken[0][:2] == taken[1][:2], "one intent, executed twice by the network"
        assert [side for _, side, _ in taken] == ["BUY", "BUY", "SELL"]
        assert any("filled more than was known" in text for text in made.messages)
        assert made.carry().state is State.ACTIVE
        assert differences(made) == [f"order {taken[0][0]} was taken twice"]


def test_two_bots_on_one_journal_are_refused(tmp_path: Path) -> None:
    from hedge_leg.adapters.sql_journal import open_journal
    from hedge_leg.errors import LeaseHeld

    with world(tmp_path) as made:
        made.start()
        with pytest.raises(LeaseHeld):
            open_journal(f"sqlite:///{tmp_path / 'hedge_leg.sqlite'}")

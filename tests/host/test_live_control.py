"""Commands of a user while two legs are held: by REST and by Telegram (docs/control.md)."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from freqtrade.enums import State as BotState

from hedge_leg.core.states import State
from tests.host.live_harness import PAIR, Rig
from tests.host.live_phone import Phone, api_config, rest
from tests.host.live_world import (
    SPOT_LOOK,
    SPOT_POST,
    assert_settled,
    loop_safely,
    opened,
    rule,
    settle,
    world,
)
from tests.soak.books import differences

HALT = rule({"path": "/api/v3/*"}, {"kind": "halt", "venue": "spot", "symbol": "BTCUSDT"})
BLIND = (
    rule(SPOT_POST, "lose_answer"),
    rule(SPOT_LOOK, {"kind": "error_before", "preset": "spot-503"}, times=None),
)


@contextmanager
def commanded(folder: Path) -> Iterator[Rig]:
    """Rig a bot up whose API server is on."""
    with world(folder, **api_config()) as made:
        try:
            yield made
        finally:
            if made.bot is not None:
                made.bot.rpc.cleanup()


def unknown_opening(made: Rig) -> None:
    """Let the bot open, its spot order taken by the exchange, the answer lost, and looking in vain."""
    made.start()
    made.exchange.plan(*BLIND)
    loop_safely(made)
    assert made.carry().state is State.OPENING
    assert made.carry().order is not None


def unknown_closing(made: Rig) -> None:
    """Let an exit sell the spot: taken by the exchange, the answer lost, and looking in vain."""
    opened(made)
    made.exchange.plan(*BLIND)
    rest(made).forceexit("1")
    assert made.carry().state is State.CLOSING
    assert made.carry().order is not None


def test_forceexit_by_rest_sells_spot_first_and_leaves_both_legs_flat(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        answer = rest(made).forceexit("1")
        assert answer == {"result": "Created exit order for trade 1."}
        sides = [(row["venue"], row["side"]) for row in made.exchange.audit("filled")]
        assert sides[-2:] == [("spot", "SELL"), ("perp", "BUY")] or ("spot", "SELL") in sides[-3:]
        assert made.carry().state is State.IDLE
        assert_settled(made)


def test_a_refused_forceexit_by_rest_keeps_the_hedge_and_tells_the_user_why(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        made.exchange.plan(HALT)
        rest(made).forceexit("1")  # freqtrade answers "Created exit order" all the same
        assert made.trade().is_open
        assert made.exchange.audit("taken")[-1]["venue"] == "spot", "the perp was not touched"
        assert any("refused" in text and "was not sold" in text for text in made.messages)
        assert_settled(made)
        assert made.carry().state is State.ACTIVE


def test_forceexit_while_opening_with_an_unknown_order_is_refused_until_it_is_known(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_opening(made)
        rest(made).forceexit("1")
        assert made.trade().is_open
        assert any("no known outcome" in text for text in made.messages)
        assert_settled(made)
        assert made.carry().state is State.ACTIVE


def test_forceenter_by_rest_opens_both_legs_and_a_long_is_refused(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        rest(made).forceexit("1")
        assert "Failed to enter position" in str(rest(made).forceenter(PAIR, "long"))
        answer = rest(made).forceenter(PAIR, "short")
        assert answer["pair"] == PAIR
        assert len(made.engine.carries) == 2
        assert made.carry().state is State.ACTIVE
        assert_settled(made)


def test_stopentry_keeps_the_hedge_and_opens_nothing_new(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        rest(made).stopbuy()
        loop_safely(made, 2)
        assert made.carry().state is State.ACTIVE
        rest(made).forceexit("1")
        loop_safely(made, 3, 3600.0)
        assert len(made.engine.carries) == 1
        assert_settled(made)


def test_after_stop_an_unknown_order_is_resolved_without_freqtrades_loop(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_opening(made)
        rest(made).stop()
        assert made.bot is not None
        assert made.bot.state is BotState.STOPPED
        made.exchange.plan()
        for _ in range(6):  # what the sentinel does while no loop comes
            made.advance(10)
            made.leg.watch.tick_alone()
        assert made.carry().state is State.ACTIVE
        rest(made).start()
        assert_settled(made)


def test_reload_config_in_the_middle_of_opening_resolves_the_order_afterwards(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_opening(made)
        rest(made).reload_config()
        assert made.bot is not None
        assert made.bot.state is BotState.RELOAD_CONFIG
        made.bot.cleanup()  # as the worker does
        made.start()
        assert_settled(made)
        assert made.carry().state is State.ACTIVE


def test_reload_config_in_the_middle_of_closing_ends_hedged_or_flat(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_closing(made)
        rest(made).reload_config()
        assert made.bot is not None
        made.bot.cleanup()  # as the worker does
        made.start()
        assert_settled(made)
        assert made.carry().state in (State.ACTIVE, State.IDLE)


def test_after_stop_in_the_middle_of_closing_the_spot_is_bought_back(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_closing(made)
        rest(made).stop()
        made.exchange.plan()
        for _ in range(12):  # what the sentinel does while no loop comes
            made.advance(10)
            made.leg.watch.tick_alone()
        carry = made.carry()
        assert (carry.state, carry.order) == (State.ACTIVE, None), carry.why
        assert abs(made.engine.perp.short_qty(PAIR) - made.spot("BTC")) < Decimal("0.00001")
        rest(made).start()
        assert_settled(made)


def test_delete_in_the_middle_of_closing_ends_hedged_and_halted_with_an_alarm(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        unknown_closing(made)
        assert rest(made).delete_trade(1)["result"] == "success"
        settle(made)
        assert made.carry().state is State.HALTED
        assert any("deleted" in text and "hedge-leg unwind" in text for text in made.messages)
        assert made.engine.perp.short_qty(PAIR) == made.carry().short_qty > 0
        assert abs(made.carry().short_qty - made.spot("BTC")) < Decimal("0.00001")


def test_delete_by_rest_halts_with_an_alarm_and_leaves_both_legs_as_they_are(tmp_path: Path) -> None:
    with commanded(tmp_path) as made:
        opened(made)
        held = made.carry().spot_qty
        assert rest(made).delete_trade(1)["result"] == "success"
        loop_safely(made, 2)
        assert made.carry().state is State.HALTED
        assert any("deleted" in text and "hedge-leg unwind" in text for text in made.messages)
        assert made.engine.perp.short_qty(PAIR) == made.carry().short_qty
        assert made.spot("BTC") == held


def test_telegram_forceexit_closes_both_legs(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        Phone(made).say("_force_exit", "1")
        assert made.carry().state is State.IDLE
        assert_settled(made)


def test_telegram_forceexit_that_is_refused_keeps_the_hedge_and_says_why(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.plan(HALT)
        Phone(made).say("_force_exit", "1")
        assert made.trade().is_open
        assert any("refused" in text for text in made.messages)
        assert_settled(made)


def test_telegram_stopentry_stop_and_start_change_nothing_about_the_legs(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        phone = Phone(made)
        for command in ("_pause", "_stop", "_start"):
            phone.say(command)
        loop_safely(made, 2)
        assert made.carry().state is State.ACTIVE
        assert_settled(made)


def test_telegram_delete_halts_and_list_custom_data_shows_the_pair(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        phone = Phone(made)
        shown = phone.say("_list_custom_data", "1")
        assert "hedge\\_state" in shown or "hedge_state" in shown
        phone.say("_delete_trade", "1")
        loop_safely(made, 2)
        assert made.carry().state is State.HALTED
        assert differences(made) == []

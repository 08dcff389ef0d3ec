"""What lasts or comes late, over HTTP: exits refused for an hour, an entry filled after it was given up."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from hedge_leg.core.amounts import lots_down
from hedge_leg.core.states import State
from tests.host.live_harness import PAIR, STRATEGIES
from tests.host.live_world import PERP_POST, assert_settled, loop_safely, opened, rule, spot_orders, world
from tests.host.test_live_faults import HALT, exit_now


def test_an_exit_that_is_refused_loop_after_loop_is_told_once_an_hour(tmp_path: Path) -> None:
    directed: dict[str, Any] = {"strategy": "DirectedCarry", "strategy_path": str(STRATEGIES)}
    with world(tmp_path, **directed, script={}) as made:
        opened(made)
        made.bot.strategy.config["script"] = {"hold": False, "enter": False}  # type: ignore[union-attr]
        made.exchange.plan(HALT)
        loop_safely(made, 1, 3600.0)
        loop_safely(made, 30, 20.0)
        told = [text for text in made.messages if f"{PAIR}: exit (" in text]
        assert len(told) == 2, told  # why it was given up, and that it waits
        exit_now(made)
        told = [text for text in made.messages if f"{PAIR}: exit (" in text]
        assert "force_exit" in told[-1], "who asks by hand is always answered"
        loop_safely(made, 1, 3600.0)
        loop_safely(made, 1)
        assert len([text for text in made.messages if f"{PAIR}: exit (" in text]) <= 5
        assert len([text for text in made.messages if "the exit was refused" in text]) == 2
        assert_settled(made)
        assert made.carry().state is State.IDLE


def test_an_exit_whose_perp_order_is_refused_for_an_hour_does_not_pay_for_it_every_minute(
    tmp_path: Path,
) -> None:
    directed: dict[str, Any] = {"strategy": "DirectedCarry", "strategy_path": str(STRATEGIES)}
    with world(tmp_path, **directed, script={}) as made:
        opened(made)
        made.bot.strategy.config["script"] = {"hold": False, "enter": False}  # type: ignore[union-attr]
        made.exchange.plan(rule(PERP_POST, {"kind": "refuse", "preset": "usdm-503-unavailable"}, times=None))
        made.advance(53 * 60)
        loop_safely(made, 180, 20.0)
        sold = [row for row in spot_orders(made) if row["side"] == "SELL"]
        assert 3 <= len(sold) <= 6, "begun after 0, 2, 4, 8, 16 and 32 minutes"
        assert_settled(made)


def test_an_entry_that_the_perp_fills_after_it_was_proven_absent_is_closed(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        made.exchange.plan(rule(PERP_POST, "lose_request"))
        loop_safely(made, 4)
        first = made.carry()
        assert first.closed is not None
        assert not first.perp
        qty = f"{lots_down(first.facts.planned_qty, Decimal('0.001'))}"
        made.exchange.post("hand", {"venue": "perp", "symbol": "BTCUSDT", "side": "SELL", "qty": qty})
        loop_safely(made, 4)
        carry = made.carry()
        assert carry.carry_id != first.carry_id
        assert made.engine.perp.short_qty(PAIR) == 0
        assert carry.state is State.IDLE
        assert any("filled after all" in text for text in made.messages)
        assert_settled(made)

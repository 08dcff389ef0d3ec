"""What an operator does by hand after the bot was stopped: reconcile, unwind, verify (hedge-leg)."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedge_leg.__main__ import app
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core.reconcile import Kind
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import ConfigError
from hedge_leg.guard.probes import HeardPerp
from hedge_leg.operations import apply_findings, living, look, plan_unwind, unwind
from hedge_leg.watch import Watch
from tests.host.live_harness import PAIR, DrivenClock, Rig
from tests.host.live_world import SPOT_LOOK, SPOT_POST, loop_safely, opened, rule, world


@contextmanager
def operated(made: Rig) -> Iterator[Engine]:
    """Stop the bot's loop and open its journal as an operator does, with the bot's own venues."""
    running = made.engine
    made.leg.close()
    journal = open_journal(f"sqlite:///{made.folder / 'hedge_leg.sqlite'}")
    engine = Engine(
        journal, running.spot, running.perp, DrivenClock(made), running.policy, made.messages.append
    )
    engine.load()
    yield engine
    journal.close()


def test_nothing_is_found_where_journal_and_venues_agree(tmp_path: Path) -> None:
    with world(tmp_path) as made, operated(opened(made)) as engine:
        assert look(engine, [PAIR]) == []


def test_spot_sold_by_hand_is_found_accepted_and_bought_again(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.post("hand", {"venue": "spot", "symbol": "BTCUSDT", "side": "SELL", "qty": "all"})
        loop_safely(made, 6, 61.0)
        with operated(made) as engine:
            kinds = {one.kind for one in look(engine, [])}
            assert {Kind.SPOT_MISSING, Kind.HALTED} <= kinds
            apply_findings(engine, Watch(engine), look(engine, []))
            assert look(engine, []) == []
            assert engine.alive()[0].state is State.ACTIVE
            assert engine.spot.balances()["BTC"][1] > 0


def test_an_unknown_order_is_resolved_by_reconcile(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.start()
        blind = rule(SPOT_LOOK, {"kind": "error_before", "preset": "spot-503"}, times=None)
        made.exchange.plan(rule(SPOT_POST, "lose_answer"), blind)
        loop_safely(made)
        made.exchange.plan()
        with operated(made) as engine:
            assert [one.kind for one in look(engine, [])] != []
            apply_findings(engine, Watch(engine), look(engine, []))
            assert look(engine, []) == []
            assert engine.alive()[0].state is State.ACTIVE


def test_unwind_shows_what_it_will_do_and_leaves_both_legs_flat(tmp_path: Path) -> None:
    with world(tmp_path) as made, operated(opened(made)) as engine:
        carry_id = engine.alive()[0].carry_id
        assert isinstance(engine.perp, HeardPerp)
        perp = engine.perp.venue
        assert isinstance(perp, CcxtPerpVenue)
        plan = plan_unwind(engine, carry_id, perp.book(PAIR), Decimal("0.0005"))
        assert plan.perp_qty == engine.perp.short_qty(PAIR)
        assert plan.perp_px is not None
        assert plan.spot_px is not None
        notional = plan.perp_qty * plan.perp_px
        assert notional * Decimal("0.001") < plan.fees + plan.spread_cost < notional * Decimal("0.003")
        after = unwind(engine, carry_id)
        assert after.state is State.IDLE
        assert engine.perp.short_qty(PAIR) == 0
        assert engine.spot.balances()["BTC"][1] < engine.spot.rules("BTC/USDT").lot


def test_unwind_works_on_a_halted_carry_whose_trade_was_deleted(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.trade().delete()
        loop_safely(made, 2)
        with operated(made) as engine:
            assert engine.alive()[0].state is State.HALTED
            assert unwind(engine, engine.alive()[0].carry_id).state is State.IDLE
            assert engine.perp.short_qty(PAIR) == 0


def test_unwind_of_an_unknown_carry_names_those_that_live(tmp_path: Path) -> None:
    with world(tmp_path) as made, operated(opened(made)) as engine:
        there = engine.alive()[0].carry_id
        with pytest.raises(ConfigError, match=there):
            living(engine, "BTC00000000")


def test_verify_journal_finds_nothing_in_a_whole_journal_and_may_run_beside_the_bot(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        url = f"sqlite:///{tmp_path / 'hedge_leg.sqlite'}"
        result = CliRunner().invoke(app, ["verify-journal", "--journal", url])
        assert (result.exit_code, result.output) == (0, "the journal is whole\n")

"""What an operator does by hand after the bot was stopped: reconcile, unwind, verify (hedge-leg)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hedge_leg.__main__ import app
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core.reconcile import Kind
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import ConfigError
from hedge_leg.operations import apply_findings, look, plan_unwind, unwind
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
        plan = plan_unwind(engine, carry_id)
        assert plan.perp_qty == engine.perp.short_qty(PAIR)
        assert plan.spot_px is not None
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
            plan_unwind(engine, "BTC00000000")


def test_verify_journal_finds_nothing_in_a_whole_journal_and_may_run_beside_the_bot(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        url = f"sqlite:///{tmp_path / 'hedge_leg.sqlite'}"
        result = CliRunner().invoke(app, ["verify-journal", "--journal", url])
        assert (result.exit_code, result.output) == (0, "the journal is whole\n")


def test_a_reconcile_beside_a_running_bot_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path) as made:
        opened(made)
        config = tmp_path / "config.json"
        config.write_text('{"exchange": {"name": "binance"}}')
        options = ["-c", str(config), "--userdir", str(tmp_path)]
        result = CliRunner().invoke(app, ["reconcile", *options])
        assert result.exit_code != 0
        assert "driven by" in str(result.exception)


def test_status_and_statement_show_the_pair_beside_the_running_bot(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        url = f"sqlite:///{tmp_path / 'hedge_leg.sqlite'}"
        shown = CliRunner().invoke(app, ["status", "--journal", url, "--json", str(tmp_path / "status.json")])
        assert shown.exit_code == 0, shown.output
        rows = json.loads((tmp_path / "status.json").read_text())
        assert [(row["pair"], row["state"]) for row in rows] == [(PAIR, "ACTIVE")]
        told = CliRunner().invoke(app, ["statement", "--journal", url, "--csv", str(tmp_path / "facts.csv")])
        assert told.exit_code == 0, told.output
        assert "as they must" in told.output
        assert len((tmp_path / "facts.csv").read_text().splitlines()) >= 3


def test_statement_of_an_unknown_carry_a_bad_time_and_an_existing_csv_are_one_line(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        url = f"sqlite:///{tmp_path / 'hedge_leg.sqlite'}"
        there = tmp_path / "there.csv"
        there.write_text("mine")
        for options in (["NOBODY"], ["--since", "yesterday"], ["--csv", str(there)]):
            result = CliRunner().invoke(app, ["statement", "--journal", url, *options])
            assert isinstance(result.exception, ConfigError)
            assert "\n" not in str(result.exception)
        assert there.read_text() == "mine"


def test_status_of_a_journal_that_is_not_there_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["status", "--userdir", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)

"""`hedge-leg` as an operator types it, over the journal of a short live life on the paper exchange."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.enums import RunMode
from typer.testing import CliRunner, Result

from hedge_leg.__main__ import app, exit_status
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.config_files import read_files, trades_for_real
from hedge_leg.core.accounts import books
from hedge_leg.core.carry import Carry
from hedge_leg.core.states import State
from hedge_leg.errors import ConfigError, HedgeError, JournalMissing, LeaseHeld
from hedge_leg.statement import read_carries
from paper_exchange.signing import REHEARSAL
from tests.host.live_harness import PAIR, Rig
from tests.host.live_world import loop_safely, opened, world
from tests.paper_exchange.clients import ccxt_config


def hedge_leg(*arguments: str | Path, status: int = 0, text: str | None = None) -> str:
    """Run a command line; return what it printed, or the error that becomes one line."""
    result: Result = CliRunner().invoke(app, list(map(str, arguments)), input=text)
    error = result.exception
    if isinstance(error, HedgeError):
        assert exit_status(error) == status, error
        return str(error)
    assert result.exit_code == status, result.output + repr(error)
    return result.output


def layers(made: Rig, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    """Write the configuration of a rig's bot as a file with comments; keys are in the environment."""
    config = {
        "dry_run": False,
        "stake_currency": "USDT",
        "margin_mode": "isolated",
        "exchange": {
            "name": "binance",
            "pair_whitelist": [PAIR],
            "ccxt_config": ccxt_config(made.exchange.url),
        },
    }
    path = made.folder / "config.json"
    path.write_text("// as freqtrade takes it\n" + json.dumps(config | changes))
    monkeypatch.setenv("FREQTRADE__EXCHANGE__KEY", REHEARSAL.key)
    monkeypatch.setenv("FREQTRADE__EXCHANGE__SECRET", REHEARSAL.secret)
    return ["-c", str(path), "--userdir", str(made.folder)]


def on_disk(made: Rig) -> list[Carry]:
    """Return the carries as the journal on disk has them."""
    journal = open_journal(f"sqlite:///{made.folder / 'hedge_leg.sqlite'}", exclusive=False)
    try:
        return read_carries(journal)
    finally:
        journal.close()


def test_status_shows_the_living_carry_beside_the_running_bot(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        carry, out = made.carry(), tmp_path / "status.json"
        shown = hedge_leg("status", "--userdir", tmp_path, "--json", out)
        assert carry.carry_id in shown
        told = json.loads(out.read_text())
        (row,) = told["carries"]
        assert told["breakers"] == []
        assert (row["state"], row["pair"], row["pending"]) == ("ACTIVE", PAIR, "")
        assert Decimal(row["short"]) == carry.short_qty
        assert Decimal(row["spot"]) == carry.spot_qty
        assert Decimal(row["net"]) == books(carry).ledger.net
        assert row["ms to hedge"] >= row["ms to order"] >= 0


def test_statement_lists_every_fact_and_its_books_are_freqtrades(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.loop(3, 3 * 3_600)
        assert made.bot is not None
        made.leg.confirm_exit(PAIR, "by hand", 0)
        carry = made.carry()
        table, out = tmp_path / "facts.csv", tmp_path / "statement.json"
        shown = hedge_leg("statement", "--userdir", tmp_path, "--csv", table, "--json", out)
        assert "as they must" in shown
        facts = list(csv.DictReader(table.open()))
        kinds = [fact["what"] for fact in facts]
        assert kinds.count("funding") == len(carry.funding) > 0
        assert sum(kind.startswith("spot") for kind in kinds) == len(carry.fills)
        assert sum(kind.startswith("perp") for kind in kinds) == len(carry.perp)
        assert facts == sorted(facts, key=lambda fact: fact["time"])
        (told,) = json.loads(out.read_text())
        assert Decimal(told["net"]) == books(carry).ledger.net


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [("2000-01-01", "2000-02-01", 0), ("2000-01-01", "2100-01-01", 1), ("2100-01-01", "2100-02-01", 1)],
)
def test_statement_keeps_to_its_range_where_an_open_carry_has_no_end(
    tmp_path: Path, since: str, until: str, found: int
) -> None:
    with world(tmp_path) as made:
        opened(made)
        options = ["--since", since, "--until", until, "--userdir", str(tmp_path)]
        assert ("no carry in this range" in hedge_leg("statement", *options)) is (found == 0)


def test_reconcile_looks_beside_a_running_bot_and_acts_only_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path) as made:
        opened(made)
        config = layers(made, monkeypatch)
        assert "journal and venues agree" in hedge_leg("reconcile", *config)
        assert "driven by process" in hedge_leg("reconcile", *config, "--apply", status=1)


def test_reconcile_shows_what_it_would_do_and_does_it_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.exchange.post("hand", {"venue": "spot", "symbol": "BTCUSDT", "side": "SELL", "qty": "all"})
        loop_safely(made, 6, 61.0)
        assert made.carry().state is State.HALTED
        made.leg.close()
        config = layers(made, monkeypatch)
        looked = hedge_leg("reconcile", *config, status=1)
        assert "spot is missing from the account" in looked
        assert "release it" in looked
        shown = hedge_leg("reconcile", *config, "--apply")
        assert shown.endswith("after:\njournal and venues agree\n")
        assert on_disk(made)[-1].state is State.ACTIVE


def test_unwind_asks_then_leaves_both_legs_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path) as made:
        opened(made)
        carry = made.carry()
        made.leg.close()
        config = layers(made, monkeypatch)
        refused = hedge_leg("unwind", carry.carry_id, *config, status=2)
        assert "there is no terminal to ask on" in refused
        assert on_disk(made)[-1].state is State.ACTIVE
        shown = hedge_leg("unwind", carry.carry_id, *config, "--yes")
        assert f"buy {carry.short_qty} reduce-only" in shown
        assert "expected cost: spread" in shown
        assert f"{carry.carry_id}: IDLE" in shown
        closed = on_disk(made)[-1]
        assert closed.closed is not None
        assert (closed.short_qty, closed.closed.dust_qty) == (Decimal(0), closed.spot_qty)
        assert all(one.settled or one.source == "engine" for one in closed.perp.values())
        assert REHEARSAL.secret not in shown
        assert "no living carry" in hedge_leg("unwind", carry.carry_id, *config, "--yes", status=2)


def test_on_a_terminal_unwind_trades_only_after_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedge_leg.commands_operate.on_terminal", lambda: True)
    with world(tmp_path) as made:
        opened(made)
        carry = made.carry()
        made.leg.close()
        config = layers(made, monkeypatch)
        taken = len(made.exchange.audit("taken"))
        for answer in ("n\n", "\n"):
            shown = hedge_leg("unwind", carry.carry_id, *config, status=1, text=answer)
            assert "Trade this now? [y/N]" in shown
        assert len(made.exchange.audit("taken")) == taken
        assert on_disk(made)[-1].state is State.ACTIVE
        assert ": IDLE" in hedge_leg("unwind", carry.carry_id, *config, text="y\n")


def test_a_dry_runs_configuration_never_acts_on_real_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.leg.close()
        config = layers(made, monkeypatch, dry_run=True)
        for command in (["reconcile", "--apply"], ["unwind", made.carry().carry_id, "--yes"]):
            assert "configuration of a dry-run" in hedge_leg(*command, *config, status=2)


def test_the_environment_is_laid_over_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREQTRADE__HEDGE_LEG__LEVERAGE", "9")
    path = tmp_path / "config.json"
    path.write_text('{"hedge_leg": {"leverage": 1,},}')
    assert "hedge_leg.leverage is 9" in hedge_leg("check-config", "-c", path, status=2)


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (["status", "--userdir", "nowhere"], 3, "there is no journal"),
        (["status", "--journal", "sqlite:///."], 3, "is a folder"),
        (["statement", "--journal", "mysql://x"], 2, "write sqlite:///PATH"),
        (["verify-journal", "--userdir", "nowhere"], 3, "there is no journal"),
        (["statement", "-c", "absent.json"], 2, "absent.json cannot be read"),
    ],
)
def test_what_is_not_there_is_one_line(command: list[str], status: int, told: str) -> None:
    shown = hedge_leg(*command, status=status)
    assert told in shown
    assert "\n" not in shown.strip()


def test_bad_input_to_statement_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        kept = tmp_path / "kept.csv"
        kept.write_text("mine")
        for extra, told in (
            (["BTC00000000"], "no carry BTC00000000"),
            (["--since", "soon"], "--since soon is not a time"),
            (["--csv", str(kept)], "nothing was overwritten"),
            (["--json", str(tmp_path / "no" / "file")], "cannot be written"),
        ):
            assert told in hedge_leg("statement", "--userdir", tmp_path, *extra, status=2)
        assert kept.read_text() == "mine"


@pytest.mark.parametrize("mode", ["dryrun", "live"])
def test_the_shipped_layers_are_complete_for_freqtrade_and_hold_no_secret(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREQTRADE__API_SERVER__PASSWORD", "from-the-environment")
    shipped = Path(__file__).parents[2] / "user_data" / "config"
    for path in (shipped / "base.json", shipped / f"{mode}.json"):
        written = json.loads(path.read_text())
        blocks = [
            written,
            written.get("exchange", {}),
            written.get("api_server", {}),
            written.get("hedge_leg", {}),
        ]
        names = ("key", "secret", "password", "jwt_secret_key", "ws_token")
        assert not [name for block in blocks for name in names if block.get(name)]
    merged = read_files([shipped / "base.json", shipped / f"{mode}.json"])
    validate_config_schema(merged | {"runmode": RunMode.LIVE, "stoploss": -0.99, "minimal_roi": {"0": 100}})
    assert trades_for_real(merged) is (mode == "live")


def test_every_command_has_an_example_in_its_help() -> None:
    for command in ("check-config", "status", "statement", "reconcile", "unwind", "verify-journal"):
        assert f"hedge-leg {command}" in hedge_leg(command, "--help")


def test_a_journal_without_a_carry_is_shown_as_such(tmp_path: Path) -> None:
    open_journal(f"sqlite:///{tmp_path / 'hedge_leg.dryrun.sqlite'}").close()
    assert "no living carry" in hedge_leg("status", "--dry-run", "--userdir", tmp_path)


def test_exit_statuses_say_what_kind_of_no_it_is() -> None:
    assert [exit_status(error) for error in (LeaseHeld(), ConfigError(), JournalMissing())] == [1, 2, 3]

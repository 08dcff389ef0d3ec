"""`make demo` through its front door: the whole, over HTTP, with a real freqtrade that is really killed."""

import json
import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from tools.demo_world import DemoFailed, wait_for

from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core import events as ev
from hedge_leg.statement import read_carries
from paper_exchange.signing import REHEARSAL
from tests.e2e.commands import BIN, ROOT


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demonstration as the Makefile does, keeping its traces."""
    command = [sys.executable, str(ROOT / "tools" / "demo.py"), "--keep", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=500
    )


def test_the_demonstration_ends_well_and_every_trace_agrees(tmp_path: Path) -> None:
    """Play it once, and look at everything it left: one test, so that parallel runs do not play it twice."""
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stderr == ""
    check_story(done.stdout)
    check_audit(tmp_path)
    check_profits(tmp_path)
    check_secrets(tmp_path, done.stdout)


def check_story(shown: str) -> None:
    """Every act was told, and every book agreed."""
    for told in ("kill -9 freqtrade", "no spot order", "after the bot died", "funding:", "resized by -25%"):
        assert told in shown
    assert shown.count("hedged, short") == 2
    assert shown.count("both legs flat") == 2
    assert " yes " in shown
    assert " NO " not in shown


def check_audit(folder: Path) -> None:
    """The exchange saw each kill between the fills, and no order twice."""
    rows = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    held = [row for row in rows if row["event"] == "fault"]
    assert [row["handled"] for row in held] == [False, True]
    taken = [row["client_id"] for row in rows if row["event"] == "taken" and row["venue"] == "spot"]
    assert len(taken) == len(set(taken))
    assert held[0]["client_id"] not in taken
    assert held[1]["client_id"] in taken


def check_profits(folder: Path) -> None:
    """The database of freqtrade shows the pair's profit; the second carry was paid funding."""
    journal = open_journal(f"sqlite:///{folder / 'user_data' / 'hedge_leg.sqlite'}", exclusive=False)
    try:
        carries = read_carries(journal)
        recorded = [row.event for carry in carries for row in journal.read(carry.carry_id)]
    finally:
        journal.close()
    with sqlite3.connect(folder / "trades.sqlite") as database:
        profits = dict(database.execute("SELECT id, close_profit_abs FROM trades"))
    assert len(carries) == 2
    for carry in carries:
        net = sum((paid.amount for paid in carry.funding.values()), Decimal(0))
        assert carry.trade_id is not None
        assert abs(Decimal(str(profits[carry.trade_id])) - statement_net(folder, carry.carry_id)) < Decimal(
            "1e-8"
        )
        assert bool(net) == (carry is carries[1])
    assert any(isinstance(event, ev.SpotDisproved) for event in recorded)


def statement_net(folder: Path, carry_id: str) -> Decimal:
    """Return a carry's net from the operator's command."""
    out = folder / f"{carry_id}.json"
    journal = f"sqlite:///{folder / 'user_data' / 'hedge_leg.sqlite'}"
    command = [str(BIN / "hedge-leg"), "statement", carry_id, "--journal", journal, "--json", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return Decimal(json.loads(out.read_text())[0]["net"])


def check_secrets(folder: Path, shown: str) -> None:
    """No file and no output holds the API secret."""
    assert REHEARSAL.secret not in shown
    for path in folder.rglob("*"):
        if path.is_file():
            assert REHEARSAL.secret.encode() not in path.read_bytes(), path


def test_what_does_not_happen_in_time_is_one_line() -> None:
    with pytest.raises(DemoFailed, match="the moon did not happen within 0 s"):
        wait_for("the moon", lambda: None, 0.0)

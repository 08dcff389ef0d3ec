"""`hedge-leg statement --by carry|day|month`, its files, and what it refuses."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedge_leg.commands_statement import local_exchange
from hedge_leg.core.accounts import books
from hedge_leg.statement_periods import day_text
from tests.hedge_leg.statements import carries, write_journal
from tests.host.test_live_commands import hedge_leg

FIGURES = ("funding", "basis_pnl", "fees_perp", "fees_spot", "borrow", "fixed", "net", "unhedged_usd_s")


def summed(lines: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line[name] or 0) for line in lines), Decimal(0))


def test_files_of_days_and_months_add_up_to_the_carries_to_the_last_digit(tmp_path: Path) -> None:
    write_journal(tmp_path)
    found: dict[str, list[dict[str, Any]]] = {}
    for by in ("carry", "day", "month"):
        table, out = tmp_path / f"{by}.csv", tmp_path / f"{by}.json"
        shown = hedge_leg("statement", "--userdir", tmp_path, "--by", by, "--csv", table, "--json", out)
        assert "total" in shown
        found[by] = list(csv.DictReader(table.open()))
        assert json.loads(out.read_text())["total"]["USDT"]["net"] == f"{summed(found[by], 'net'):f}"
    assert [row["carry"] for row in found["carry"]] == ["X0", "X1", "X2"]
    assert len(found["day"]) > 45
    assert {"2023-11", "2023-12"} <= {row["month"] for row in found["month"]}
    for name in (*FIGURES, "rebalancing", "opened", "closed"):
        assert summed(found["day"], name) == summed(found["month"], name) == summed(found["carry"], name)
    assert summed(found["carry"], "net") == sum(books(one).ledger.net for one in carries())
    assert (summed(found["day"], "opened"), summed(found["day"], "closed")) == (Decimal(3), Decimal(2))


def test_a_range_counts_its_facts_only(tmp_path: Path) -> None:
    write_journal(tmp_path)
    out = tmp_path / "range.json"
    options = ["--since", "2023-12-01", "--until", "2023-12-02", "--json", str(out)]
    hedge_leg("statement", "X1", "--userdir", tmp_path, "--by", "day", *options)
    (row,) = json.loads(out.read_text())["rows"]
    assert row["day"] == "2023-12-01"
    expected = [
        paid.amount for paid in carries()[1].funding.values() if day_text(paid.paid_ms) == "2023-12-01"
    ]
    assert Decimal(row["funding"]) == sum(expected) > 0


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (["--by", "day", "--since", "2030-01-01"], 3, "it holds 2023-11-14 to 2024-01-03"),
        (["--html", "page.html", "--until", "2020-01-01"], 3, "no facts of carries in this range"),
        (["--by", "day", "--since", "2024-01-02", "--until", "2024-01-01"], 2, "is not before --until"),
        (["--by", "month", "--csv", "kept.csv"], 2, "nothing was overwritten"),
        (["--html", "kept.csv"], 2, "give --overwrite or a new name"),
        (["--html", "no/where.html"], 2, "--html no/where.html cannot be written"),
    ],
)
def test_what_cannot_be_told_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], status: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_journal(tmp_path)
    Path("kept.csv").write_text("mine")
    shown = hedge_leg("statement", "--userdir", tmp_path, *options, status=status)
    assert told in shown
    assert "\n" not in shown.strip()
    assert Path("kept.csv").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir() if "sqlite" not in path.name} == {"kept.csv"}


def test_overwrite_replaces_and_the_page_says_where_it_comes_from(tmp_path: Path) -> None:
    write_journal(tmp_path, "hedge_leg.dryrun.sqlite")
    page, config = tmp_path / "page.html", tmp_path / "config.json"
    page.write_text("old")
    config.write_text(
        json.dumps({"dry_run": True, "exchange": {"ccxt_config": {"u": "http://127.0.0.1:1/x"}}})
    )
    hedge_leg("statement", "--userdir", tmp_path, "-c", config, "--html", page, "--overwrite")
    text = page.read_text()
    assert "sample market, not real" in text
    assert "Dry-run: fills are simulated." in text
    assert "hedge_leg.dryrun.sqlite" in text


@pytest.mark.parametrize(
    ("exchange", "local"),
    [
        ({"ccxt_config": {"urls": {"api": {"public": "http://localhost:8411/api"}}}}, True),
        ({"name": "binance", "ccxt_config": {"urls": {"api": "https://api.binance.com"}}}, False),
        ({"name": "localhost"}, False),
        (None, None),
    ],
)
def test_an_exchange_on_this_computer_is_known_by_its_address(exchange: Any, local: bool | None) -> None:
    assert local_exchange({"exchange": exchange}) is local

"""The audit log over HTTP and as a file: what really happened, to hold against what clients were told."""

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from paper_exchange.clock import MarketClock
from tests.paper_exchange.clients import signed_client
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms
from tests.paper_exchange.test_commands import Served, run

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"
HOUR_MS = 3_600_000


@pytest.fixture
def client(fresh: RunningExchange) -> Any:
    found = signed_client(fresh.url, fresh.clock)
    found.load_markets()
    return found


def audit(exchange: RunningExchange, **params: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = exchange.get("/_control/audit", **params).json()["events"]
    return rows


def test_hedged_pair_is_told_order_by_order(fresh: RunningExchange, client: Any) -> None:
    assert audit(fresh) == []
    sold = client.create_market_sell_order(PERP, 0.1, {"newClientOrderId": "perp-1"})
    bought = client.create_market_buy_order(SPOT, 0.1, {"newClientOrderId": "spot-1"})
    rows = audit(fresh)
    assert [(row["venue"], row["event"], row["client_id"]) for row in rows] == [
        ("perp", "taken", "perp-1"),
        ("perp", "filled", "perp-1"),
        ("spot", "taken", "spot-1"),
        ("spot", "filled", "spot-1"),
    ]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]
    assert [float(row["px"]) for row in (rows[1], rows[3])] == [sold["average"], bought["average"]]
    assert Decimal(rows[3]["fee"]) == Decimal("0.0001")
    assert audit(fresh, after=2) == rows[2:]


def test_refusals_and_ends_are_told(fresh: RunningExchange, client: Any) -> None:
    with pytest.raises(ccxt.ExchangeError):
        client.create_market_sell_order(SPOT, 1)
    with pytest.raises(ccxt.ExchangeError):
        client.create_market_buy_order(PERP, 0.1, {"reduceOnly": True})
    resting = client.create_limit_buy_order(SPOT, 0.1, 15000)
    client.cancel_order(resting["id"], SPOT)
    told = [(row["venue"], row["event"], row.get("code"), row.get("status")) for row in audit(fresh)]
    assert told == [
        ("spot", "refused", -2010, None),
        ("perp", "refused", -2022, None),
        ("spot", "taken", None, None),
        ("spot", "ended", None, "CANCELED"),
    ]


def test_funding_is_told_without_anyone_asking_for_it(fresh: RunningExchange, client: Any) -> None:
    client.create_market_sell_order(PERP, 0.1)
    fresh.clock.advance_ms(8 * HOUR_MS)
    row = audit(fresh)[-1]
    assert (row["event"], row["symbol"]) == ("funded", "BTCUSDT")
    [paid] = client.fetch_funding_history(PERP)
    assert (float(row["amount"]), row["at_ms"]) == (paid["amount"], paid["timestamp"])


def test_file_holds_the_same_lines(sample_datadir: Path, tmp_path: Path) -> None:
    options = ("--at", f"{NOW:%Y-%m-%dT%H:%M:%S}", "--frozen", "--audit", str(tmp_path / "audit.jsonl"))
    served = Served(tmp_path, "--data", str(sample_datadir), *options)
    exchange = RunningExchange(served.url, sample_datadir, MarketClock(at_ms(NOW), running=False))
    client = signed_client(served.url, exchange.clock)
    client.load_markets()
    client.create_market_buy_order(SPOT, 0.1)
    rows = audit(exchange)
    served.stop(signal.SIGTERM)
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert [row["event"] for row in rows] == ["taken", "filled"]


def test_unwritable_file_is_one_line(sample_datadir: Path, tmp_path: Path) -> None:
    done = run("--port", "0", "--data", str(sample_datadir), "--audit", str(tmp_path / "no" / "audit.jsonl"))
    assert done.returncode == 2
    assert "cannot write --audit" in done.stderr
    assert done.stderr.count("\n") == 1

"""`carry report` through its front door: outputs, exit statuses, one line per mistake."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

from carry import commands_results
from carry.errors import CarryError, DataError, UsageError
from carry.freqtrade_results import read_export
from carry.market import load_market
from carry.report import build_report
from carry.tape import build_tape

from . import synthetic

KEYS = {
    "strategy", "trades", "net_pnl", "basis_pnl", "funding_pnl", "fees_perp", "fees_spot", "slippage",
    "fixed", "borrow", "freqtrade_profit_abs", "residual", "return_on_capital", "max_drawdown",
    "equity_points", "trade_list",
}  # fmt: skip
TRADE_KEYS = {
    "pair", "open_at", "close_at", "net_pnl", "basis_pnl", "funding_pnl", "fees_perp", "fees_spot",
    "slippage", "fixed", "borrow", "freqtrade_profit_abs", "residual",
}  # fmt: skip


def run(*arguments: object) -> Result:
    """Run the command line of results alone."""
    app = typer.Typer()
    app.callback()(lambda: None)
    commands_results.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    """Return a directory with ten days of two pairs."""
    synthetic.write_market(tmp_path / "data", ("BTC/USDT:USDT", "ETH/USDT:USDT"))
    return tmp_path / "data"


def open_px(datadir: Path, hour: int, pair: str = "BTC_USDT_USDT") -> float:
    frame = pd.read_feather(datadir / "futures" / f"{pair}-1h-futures.feather")
    return float(frame["open"].iloc[hour])


def carry_trade(datadir: Path, begin: int, end: int, reason: str = "exit_signal") -> dict[str, Any]:
    """Return a plain short trade at candle opens."""
    orders = [
        synthetic.order(begin, 1.2345, open_px(datadir, begin), True),
        synthetic.order(end, 1.2345, open_px(datadir, end), False, reason),
    ]
    return synthetic.trade(orders, exit_reason=reason)


def reconciled(datadir: Path, folder: Path, strategies: dict[str, Any]) -> Path:
    """Write an export whose profits are what the ledger finds, as a right binding would book them."""
    synthetic.write_export(folder, strategies)
    report = build_report(read_export(folder), datadir)
    for result in report.strategies:
        booked = {(t.trade.pair, t.trade.open_ns // 1_000_000): t.net for t in result.trades}
        for row in strategies[result.name]["trades"]:
            row["profit_abs"] = round(booked[row["pair"], row["open_timestamp"]], 8)
    return synthetic.write_export(folder, strategies)


def test_reconciled_export_exits_zero_and_writes_every_key(datadir: Path, tmp_path: Path) -> None:
    trades = [carry_trade(datadir, 5, 40), carry_trade(datadir, 50, 100, "roll")]
    result = reconciled(datadir, tmp_path / "out", {"FundingCarry": synthetic.strategy(trades)})
    answer = run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json")
    assert answer.exit_code == 0, answer.output
    content = json.loads((tmp_path / "r.json").read_text())
    row = content["strategies"][0]
    assert set(row) >= KEYS
    assert set(row["trade_list"][0]) >= TRADE_KEYS
    assert row["trades"] == len(row["trade_list"]) == 2
    assert row["trade_list"][0]["open_at"] == "2024-01-01T05:00:00+00:00"
    assert row["equity_points"] == 240
    assert row["rolls"] == 1
    assert 0.0 < row["max_drawdown"] < 1.0
    assert row["return_on_capital"] == pytest.approx(row["net_pnl"] / 10_000.0)
    for entry in [row, *row["trade_list"]]:
        costs = entry["fees_perp"] + entry["fees_spot"] + entry["borrow"] + entry["fixed"]
        assert entry["net_pnl"] == pytest.approx(entry["basis_pnl"] + entry["funding_pnl"] - costs, abs=1e-9)
        assert entry["residual"] == pytest.approx(
            abs(entry["freqtrade_profit_abs"] - entry["net_pnl"]), abs=1e-12
        )


def test_profit_that_disagrees_exits_one_and_still_writes(datadir: Path, tmp_path: Path) -> None:
    good = carry_trade(datadir, 5, 40)
    result = reconciled(datadir, tmp_path / "out", {"FundingCarry": synthetic.strategy([good])})
    good["profit_abs"] += 2e-6
    synthetic.write_export(result, {"FundingCarry": synthetic.strategy([good])})
    answer = run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json")
    assert answer.exit_code == 1
    assert "residual" in answer.output
    assert json.loads((tmp_path / "r.json").read_text())["reconciles"] is False


def test_strategy_without_trades_says_so_and_is_never_ranked(datadir: Path, tmp_path: Path) -> None:
    trades = [carry_trade(datadir, 5, 40)]
    strategies = {"Idle": synthetic.strategy([]), "AlwaysOnCarry": synthetic.strategy(trades)}
    result = reconciled(datadir, tmp_path / "out", strategies)
    answer = run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json")
    rows = json.loads((tmp_path / "r.json").read_text())["strategies"]
    assert [(row["strategy"], row["rank"], row["note"]) for row in rows] == [
        ("AlwaysOnCarry", 1, None),
        ("Idle", None, "no trades"),
    ]
    assert rows[0]["net_pnl"] < 0.0  # a loss still stands before a strategy that did nothing
    assert rows[0]["control"] and not rows[1]["control"]
    assert "no trades" in answer.output


def test_sample_market_is_named_in_tables_and_json(datadir: Path, tmp_path: Path) -> None:
    (datadir / "SAMPLE_MARKET.json").write_text("{}")
    result = reconciled(
        datadir, tmp_path / "out", {"FundingCarry": synthetic.strategy([carry_trade(datadir, 5, 40)])}
    )
    answer = run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json")
    assert "sample market, not real" in answer.output.lower()
    assert json.loads((tmp_path / "r.json").read_text())["sample_market"] is True


def test_only_named_strategies_are_reported(datadir: Path, tmp_path: Path) -> None:
    one = synthetic.strategy([carry_trade(datadir, 5, 40)])
    result = synthetic.write_export(tmp_path / "out", {"A": one, "B": one})
    run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json", "--strategy", "B")
    rows = json.loads((tmp_path / "r.json").read_text())["strategies"]
    assert [row["strategy"] for row in rows] == ["B"]


def failure(*arguments: object) -> CarryError:
    """Return the error that a command ends with."""
    answer = run(*arguments)
    assert isinstance(answer.exception, CarryError), answer.output
    assert "\n" not in str(answer.exception)
    return answer.exception


def test_missing_result_and_unknown_strategy_are_usage_errors(datadir: Path, tmp_path: Path) -> None:
    error = failure("report", "--result", tmp_path / "no", "--datadir", datadir)
    assert isinstance(error, UsageError) and "does not exist" in str(error)
    result = synthetic.write_export(tmp_path / "out", {"A": synthetic.strategy([])})
    error = failure("report", "--result", result, "--datadir", datadir, "--strategy", "Z")
    assert isinstance(error, UsageError) and "Z" in str(error)
    error = failure("report", "--result", result, "--datadir", tmp_path / "nowhere")
    assert isinstance(error, UsageError) and "nowhere" in str(error)


@pytest.mark.parametrize("raw", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_damaged_zip_is_a_data_error(datadir: Path, tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(raw)
    assert isinstance(failure("report", "--result", tmp_path / "x.zip", "--datadir", datadir), DataError)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"strategy": {}}', '{"strategy": {"A": {"trades": []}}}', '{"strategy": {"A": 3}}']
)
def test_json_that_is_not_an_export_is_a_data_error(datadir: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert isinstance(failure("report", "--result", tmp_path / "x.json", "--datadir", datadir), DataError)


def test_unknown_cost_in_the_export_is_a_usage_error(datadir: Path, tmp_path: Path) -> None:
    block = {"costs": {"perp_taker": 5}}
    result = synthetic.write_export(tmp_path / "out", {"A": synthetic.strategy([])}, block)
    error = failure("report", "--result", result, "--datadir", datadir)
    assert isinstance(error, UsageError) and "perp_taker" in str(error)


def _drop(datadir: Path, name: str, begin: int, end: int) -> None:
    path = datadir / name
    frame = pd.read_feather(path)
    keep = (frame["date"] < synthetic.START + pd.Timedelta(hours=begin)) | (
        frame["date"] >= synthetic.START + pd.Timedelta(hours=end)
    )
    frame[keep].reset_index(drop=True).to_feather(path)


@pytest.mark.parametrize(
    ("name", "gone", "word"),
    [
        ("BTC_USDT-1h.feather", (0, 240), "spot"),
        ("BTC_USDT-1h.feather", (4, 41), "spot"),
        ("BTC_USDT-1h.feather", (0, 30), "spot"),
        ("futures/BTC_USDT_USDT-1h-mark.feather", (16, 17), "mark"),
        ("futures/BTC_USDT_USDT-1h-funding_rate.feather", (16, 17), "settlements are missing"),
        ("futures/BTC_USDT_USDT-1h-funding_rate.feather", (30, 240), "funding"),
        ("futures/BTC_USDT_USDT-1h-funding_rate.feather", (0, 30), "funding"),
    ],
)
def test_missing_data_names_pair_and_range_and_is_never_zero(
    datadir: Path, tmp_path: Path, name: str, gone: tuple[int, int], word: str
) -> None:
    result = synthetic.write_export(
        tmp_path / "out", {"A": synthetic.strategy([carry_trade(datadir, 5, 40)])}
    )
    _drop(datadir, name, *gone)
    error = failure("report", "--result", result, "--datadir", datadir)
    assert isinstance(error, DataError)
    assert "BTC/USDT:USDT" in str(error) and word in str(error)


@pytest.mark.parametrize("as_empty_candles", [False, True])
def test_outage_inside_a_trade_leaves_bars_out_and_fills_none(
    datadir: Path, tmp_path: Path, as_empty_candles: bool
) -> None:
    result = reconciled(datadir, tmp_path / "out", {"A": synthetic.strategy([carry_trade(datadir, 5, 40)])})
    if as_empty_candles:
        spot = pd.read_feather(datadir / "BTC_USDT-1h.feather")
        spot.loc[20:22, "volume"] = 0.0
        spot.to_feather(datadir / "BTC_USDT-1h.feather")
        assert build_tape(load_market(datadir, "BTC/USDT:USDT", "1h")).spot_ns.size == 240 - 3
    else:
        _drop(datadir, "BTC_USDT-1h.feather", 20, 23)
    answer = run("report", "--result", result, "--datadir", datadir, "--json", tmp_path / "r.json")
    assert answer.exit_code == 0, answer.output
    assert json.loads((tmp_path / "r.json").read_text())["strategies"][0]["equity_points"] == 240 - 3


@pytest.mark.parametrize(
    ("gone", "status"), [(None, 0), ("BTC_USDT-1h.feather", 3), ("out/.last_result.json", 2)]
)
def test_exit_status_of_the_command_is_one_line_and_no_traceback(
    datadir: Path, tmp_path: Path, gone: str | None, status: int
) -> None:
    strategies = {"A": synthetic.strategy([carry_trade(datadir, 5, 40)])}
    result = reconciled(datadir, tmp_path / "out", strategies)
    for base in (datadir, tmp_path):
        if gone is not None:
            (base / gone).unlink(missing_ok=True)
    command = [sys.executable, "-m", "carry", "report", "--result", str(result), "--datadir", str(datadir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stderr
    assert len(done.stderr.splitlines()) == (1 if status else 0)

"""The main job through its front door: freqtrade's command, then `carry report` on what it exported."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.data.btanalysis import load_backtest_stats

from paper_exchange.sample import write_sample_market
from tests.e2e.commands import ROOT, STRATEGIES, freqtrade, report, run
from tests.random_market import rows

PARTS = ("net_pnl", "basis_pnl", "funding_pnl", "fees_perp", "fees_spot", "slippage", "fixed", "borrow")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write five months of the sample market."""
    datadir = tmp_path_factory.mktemp("sample")
    begin, end = pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2023-06-01", tz="UTC")
    write_sample_market(datadir, seed=11, start=begin, end=end)
    return datadir


def check_identities(strategies: list[dict[str, Any]]) -> None:
    """Assert that every trade's parts make its net, and its net is freqtrade's profit."""
    for strategy in strategies:
        assert abs(strategy["residual"]) < 1e-6
        assert strategy["trades"] == len(strategy["trade_list"])
        for trade in [strategy, *strategy["trade_list"]]:
            costs = trade["fees_perp"] + trade["fees_spot"] + trade["fixed"] + trade["borrow"]
            assert trade["net_pnl"] == pytest.approx(
                trade["basis_pnl"] + trade["funding_pnl"] - costs, abs=1e-8
            )
            assert abs(trade["residual"]) < 1e-6
            assert trade["residual"] == pytest.approx(
                abs(trade["freqtrade_profit_abs"] - trade["net_pnl"]), abs=1e-9
            )
        for part in PARTS:
            total = sum(trade[part] for trade in strategy["trade_list"])
            assert strategy[part] == pytest.approx(total, abs=1e-6)


def naive_funding(trade: dict[str, Any], quantity: float, datadir: Path) -> float:
    """Sum rate x mark x quantity over a trade's settlements, row by row."""
    name = trade["pair"].replace("/", "_").replace(":", "_")
    funding = pd.read_feather(datadir / "futures" / f"{name}-1h-funding_rate.feather")
    mark = pd.read_feather(datadir / "futures" / f"{name}-1h-mark.feather").set_index("date")["open"]
    opened, closed = pd.Timestamp(trade["open_at"]), pd.Timestamp(trade["close_at"])
    settled = funding[(funding["date"] > opened) & (funding["date"] <= closed)]
    return float(sum(row["funding_rate"] * mark[row["date"]] * quantity for row in rows(settled)))


def exported_quantities(results: Path, strategy: str) -> dict[tuple[str, pd.Timestamp], float]:
    """Return the amount of every trade as freqtrade exported it, by pair and opening time."""
    trades = load_backtest_stats(results)["strategy"][strategy]["trades"]
    return {(trade["pair"], pd.Timestamp(trade["open_date"])): trade["amount"] for trade in trades}


def test_every_strategy_on_the_sample_market(sample: Path, exchange_url: str, tmp_path: Path) -> None:
    output = freqtrade(
        "backtesting",
        sample,
        tmp_path,
        exchange_url,
        "--timerange",
        "20230120-20230601",
        "--strategy-list",
        *STRATEGIES,
    )
    assert "STRATEGY SUMMARY" in output
    content = report(tmp_path, sample, "--page", str(tmp_path / "page.html"))
    assert {strategy["strategy"] for strategy in content["strategies"]} == set(STRATEGIES)
    assert all(strategy["trades"] > 0 for strategy in content["strategies"])
    check_identities(content["strategies"])
    page = (tmp_path / "page.html").read_text()
    assert "sample market, not real" in page.lower()


@pytest.mark.parametrize("extra", [("--timeframe-detail", "5m"), ("--fee", "0.0002")])
def test_detail_candles_and_other_fees_leave_no_residual(
    sample: Path, exchange_url: str, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    wanted = ("--timerange", "20230201-20230401", "--strategy-list", "FundingSpreadCarry", *extra)
    freqtrade("backtesting", sample, tmp_path, exchange_url, *wanted)
    content = report(tmp_path, sample)
    assert content["strategies"][0]["trades"] > 0
    check_identities(content["strategies"])


def test_partial_exits_and_additions_leave_no_residual(
    sample: Path, exchange_url: str, tmp_path: Path
) -> None:
    coarse = tmp_path / "coarse.json"  # lots and costs that leave remainders everywhere
    lots, costs = {"BTC": 0.007, "ETH": 0.03, "SOL": 7}, {"fixed_per_trade": 2, "borrow_daily_bps": 1.5}
    coarse.write_text(json.dumps({"hedge_leg": {"spot_lots": lots, "costs": costs}}))
    wanted = ("--timerange", "20230120-20230601", "--strategy-path", str(ROOT / "tests/e2e/strategies"))
    freqtrade(
        "backtesting",
        sample,
        tmp_path,
        exchange_url,
        "-c",
        str(coarse),
        "--strategy",
        "ResizingCarry",
        *wanted,
    )
    exported = load_backtest_stats(tmp_path)["strategy"]["ResizingCarry"]["trades"]
    assert max(len(trade["orders"]) for trade in exported) > 10
    check_identities(report(tmp_path, sample)["strategies"])


def test_liquidations_leave_no_residual(recorded: Path, exchange_url: str, tmp_path: Path) -> None:
    reckless = tmp_path / "reckless.json"
    reckless.write_text('{"hedge_leg": {"leverage": 3, "roll_distance": 0.02}}')
    datadir = recorded / "binance_1h"
    wanted = ("--timerange", "20230101-20231231", "--strategy-list", "AlwaysOnCarry")
    freqtrade("backtesting", datadir, tmp_path, exchange_url, "-c", str(reckless), *wanted)
    content = report(tmp_path, datadir)
    check_identities(content["strategies"])
    assert content["strategies"][0]["liquidations"] > 0


def test_recorded_markets_2020_to_2024(recorded: Path, exchange_url: str, tmp_path: Path) -> None:
    datadir = recorded / "binance_1h"
    names = ("FundingSpreadCarry", "AlwaysOnCarry")
    freqtrade(
        "backtesting",
        datadir,
        tmp_path,
        exchange_url,
        "--timerange",
        "20200201-20241231",
        "--strategy-list",
        *names,
    )
    content = report(tmp_path, datadir)
    check_identities(content["strategies"])
    always_on = next(s for s in content["strategies"] if s["strategy"] == "AlwaysOnCarry")
    quantities = exported_quantities(tmp_path, "AlwaysOnCarry")
    assert len(quantities) == always_on["trades"]
    for trade in always_on["trade_list"]:
        quantity = quantities[trade["pair"], pd.Timestamp(trade["open_at"])]
        assert trade["funding_pnl"] == pytest.approx(naive_funding(trade, quantity, datadir), abs=1e-6)
    assert {trade["exit_reason"] for trade in always_on["trade_list"]} == {"roll", "force_exit"}


def test_leverage_three_is_never_liquidated_in_the_recorded_markets(
    recorded: Path, exchange_url: str, tmp_path: Path
) -> None:
    base = (ROOT / "user_data/config/base.json").read_text()
    overlay = tmp_path / "leverage.json"
    overlay.write_text('{"hedge_leg": {"leverage": 3}}')
    assert '"leverage": 2' in base
    freqtrade(
        "backtesting",
        recorded / "binance_1h",
        tmp_path,
        exchange_url,
        "-c",
        str(overlay),
        "--timerange",
        "20200201-20241231",
        "--strategy-list",
        "AlwaysOnCarry",
    )
    content = report(tmp_path, recorded / "binance_1h")
    reasons = [trade["exit_reason"] for trade in content["strategies"][0]["trade_list"]]
    assert "liquidation" not in reasons
    assert "stop_loss" not in reasons
    assert content["strategies"][0]["rolls"] == reasons.count("roll") > 0


def test_uncovered_data_stop_a_backtest_with_one_line(
    sample: Path, exchange_url: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    (broken / "futures").mkdir(parents=True)
    for path in sample.rglob("*BTC*1h*.feather"):
        (broken / path.relative_to(sample)).write_bytes(path.read_bytes())
    (broken / "BTC_USDT-1h.feather").write_bytes(b"not a feather file")
    output = freqtrade(
        "backtesting",
        broken,
        tmp_path / "results",
        exchange_url,
        *("--pairs", "BTC/USDT:USDT", "--timerange", "20230120-20230601", "--strategy-list", "AlwaysOnCarry"),
        status=2,
    )
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if " ERROR " in line]
    assert "BTC_USDT-1h.feather" in line


def test_freqtrade_lists_every_strategy_as_loadable(exchange_url: str) -> None:
    output = run("freqtrade", "list-strategies", "--userdir", ROOT / "user_data", "--no-color")
    for name in STRATEGIES:
        (line,) = [line for line in output.splitlines() if f" {name} " in line]
        assert " OK " in line

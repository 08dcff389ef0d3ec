"""Figures of the report against hand-made numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carry.equity import EquityCurve
from carry.freqtrade_results import ExportedStrategy, ExportedTrade
from carry.ledger import Fills, FoldedCarry, Parts
from carry.report import StrategyResult, TradeResult, hours_to_settlement
from carry.statistics import (
    breakdowns,
    cost_ladder,
    settlement_bucket,
    sharpe_daily,
    summarize,
)
from carry.tape import DAY_NS, Floats

from .cases import START_NS, make_tape
from .synthetic import HOUR_NS

EMPTY = np.empty(0)


def trade(parts: Parts, days: float = 2.0, reason: str = "roll", hours: float = 8.0) -> TradeResult:
    """Return a trade of 1,000 entry notional; both legs traded 2,000 each."""
    at_ns = START_NS + np.array([0, int(days * DAY_NS)], dtype=np.int64)
    folded = FoldedCarry(
        parts, at_ns, EMPTY, EMPTY, EMPTY, EMPTY, at_ns[:0], EMPTY, 2000.0, 2000.0, entry_notional=1000.0
    )
    fills = Fills(at_ns, EMPTY, EMPTY, EMPTY, np.empty(0, dtype=np.bool_))
    exported = ExportedTrade(
        "BTC/USDT:USDT", int(at_ns[0]), int(at_ns[1]), fills, parts.net, True, 2.0, reason, ""
    )
    return TradeResult(exported, folded, hours, math.nan)


def curve(equity: Floats, start: float = 1000.0) -> EquityCurve:
    """Return a curve with one close a day, at midnight."""
    at_ns = START_NS + DAY_NS * np.arange(1, equity.size + 1, dtype=np.int64)
    return EquityCurve(start, at_ns, equity, equity > 1005.0, np.full(equity.shape, 500.0))


def strategy(*trades: TradeResult, equity: Floats = EMPTY, days: float = 365.0) -> StrategyResult:
    """Return a strategy on 1,000 of capital over `days`."""
    exported = ExportedStrategy(
        "S", "1h", "", 1000.0, "USDT", START_NS, START_NS + int(days * DAY_NS), tuple(t.trade for t in trades)
    )
    return StrategyResult(exported, trades, curve(equity))


GOOD = Parts(
    basis_pnl=1.0, funding_pnl=12.0, fees_perp=2.0, fees_spot=3.0, slippage=1.0, fixed=0.5, borrow=0.5
)


def test_summary_of_three_trades() -> None:
    equity = np.array([1002.0, 1010.0, 1004.0, 1014.0])
    trades = [trade(GOOD), trade(GOOD, reason="liquidation"), trade(GOOD, reason="exit_signal")]
    result = strategy(*trades, equity=equity)
    figures = summarize(result)
    assert figures.net_bps_per_trade == pytest.approx(70.0)
    assert figures.return_on_capital == figures.annualized_return == pytest.approx(0.021)
    assert figures.max_drawdown == pytest.approx(6.0 / 1010.0)
    assert figures.time_in_position == 0.5
    assert figures.average_exposure == 0.5
    assert figures.turnover_per_year == pytest.approx(12.0)
    assert figures.break_even_days == pytest.approx(6.5 / 6.0)
    assert (figures.rolls, figures.roll_cost, figures.liquidations) == (1, 6.5, 1)


def test_drawdown_counts_from_the_starting_balance() -> None:
    assert curve(np.array([990.0, 995.0])).max_drawdown == pytest.approx(0.01)
    assert curve(np.array([1001.0, 1002.0])).max_drawdown == 0.0


def test_sharpe_is_of_daily_changes_from_the_start() -> None:
    changes = np.array([2.0, 8.0, -6.0, 10.0])
    expected = changes.mean() / changes.std(ddof=1) * math.sqrt(365.0)
    assert sharpe_daily(curve(1000.0 + np.cumsum(changes))) == pytest.approx(expected)
    hourly = curve(1000.0 + np.cumsum(changes))
    halves = replace(
        hourly,
        at_ns=np.sort(np.concatenate([hourly.at_ns, hourly.at_ns - 12 * HOUR_NS])),
        equity=np.repeat(hourly.equity, 2) + np.tile([-3.0, 0.0], 4),
    )
    assert sharpe_daily(halves) == pytest.approx(expected)
    assert sharpe_daily(curve(np.full(5, 1000.0))) is None
    assert sharpe_daily(curve(EMPTY)) is None


def test_without_trades_every_ratio_is_absent() -> None:
    figures = summarize(strategy())
    assert figures.trades == 0
    assert figures.net_bps_per_trade is None
    assert figures.sharpe_daily is None and figures.break_even_days is None
    assert figures.max_drawdown == 0.0


def test_funding_that_is_paid_never_breaks_even() -> None:
    assert summarize(strategy(trade(replace(GOOD, funding_pnl=-1.0)))).break_even_days is None


def test_ladder_replaces_fees_and_slippage_by_the_rung() -> None:
    ladder = {rung.label: rung for rung in cost_ladder(strategy(trade(GOOD)))}
    raw = 1.0 + 1.0 + 12.0 - 0.5 - 0.5
    assert ladder["4 bps per side and leg"].net_pnl == pytest.approx(raw - 4e-4 * 4000.0)
    assert ladder["16 bps round trip, both legs"].net_pnl == pytest.approx(raw - 16e-4 * 1000.0)
    assert ladder["25 bps round trip, both legs"].net_bps_per_trade == pytest.approx((raw - 2.5) * 10.0)
    nets = [ladder[f"{bps} bps per side and leg"].net_pnl for bps in (1, 2, 4, 6)]
    assert nets == sorted(nets, reverse=True)


@pytest.mark.parametrize(
    ("hours", "bucket"),
    [(0.1, "0-1 h"), (1.0, "0-1 h"), (1.1, "1-2 h"), (4.0, "2-4 h"), (8.0, "4-8 h"), (9.0, "8-16 h")],
)
def test_bucket_of_hours_to_the_next_settlement(hours: float, bucket: str) -> None:
    assert settlement_bucket(hours) == bucket


def test_next_settlement_is_strictly_after_the_instant() -> None:
    tape, _ = make_tape(1, interval=4)
    assert hours_to_settlement(tape, START_NS) == 4.0
    assert hours_to_settlement(tape, START_NS + HOUR_NS // 2) == 3.5
    assert math.isnan(hours_to_settlement(tape, int(tape.settle_ns[-1])))


@given(
    st.lists(
        st.tuples(st.sampled_from(["roll", "exit_signal"]), st.floats(0.1, 20), st.floats(-5, 5)), max_size=8
    )
)
def test_groups_partition_the_trades(rows: list[tuple[str, float, float]]) -> None:
    trades = [
        trade(replace(GOOD, basis_pnl=basis), reason=reason, hours=hours) for reason, hours, basis in rows
    ]
    result = strategy(*trades)
    for groups in breakdowns(result).values():
        assert sum(group.trades for group in groups) == len(trades)
        assert sum(group.net_pnl for group in groups) == pytest.approx(result.parts.net, abs=1e-9)
    starts = [float(g.label.split("-")[0]) for g in breakdowns(result)["by_hours_to_settlement_at_entry"]]
    assert starts == sorted(starts)

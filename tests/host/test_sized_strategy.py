"""Strategies that size their pairs: stake, resizes of both legs, regimes; in every run mode."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from carry.market import load_market
from carry.regime_features import REGIME_COLUMNS, regime_columns
from hedge_leg.config import HedgeLegConfig
from hedge_leg.sized_strategy import EXPOSURE_KEY
from paper_exchange.sample import write_sample_market
from tests.host.backtest_harness import backtest_config, load_exchange, run_backtest
from tests.host.live_harness import PAIR, SHIPPED, STRATEGIES, rig, served

START = datetime(2024, 2, 1, tzinfo=UTC)
SIZED: dict[str, Any] = {"strategy": "ClockworkSizedCarry", "strategy_path": str(STRATEGIES)}
STAKE = 9_000.0
LOT = Decimal("0.00001")
Step = tuple[pd.Timestamp, float]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sample market with enough before the start for regimes to be known."""
    datadir = tmp_path_factory.mktemp("sized-market")
    begin, end = START - timedelta(days=130), START + timedelta(days=5)
    write_sample_market(datadir, start=begin, end=end, coins=("BTC",))
    return datadir


def steps(trade: Any) -> list[Step]:
    """Return the candle of each filled order, and the exposure held after it as a share of the full stake."""
    filled = [order for order in trade.orders if not order.ft_is_open and order.filled]
    signs = [1.0 if order.ft_order_side == trade.entry_side else -1.0 for order in filled]
    held = np.cumsum([sign * order.filled for sign, order in zip(signs, filled, strict=True)])
    candles = [pd.Timestamp(order.order_filled_utc).floor("h") for order in filled]
    shares = [round(float(qty / held[0] * 0.6), 2) for qty in held]
    return list(zip(candles, shares, strict=True))


def expected(day: datetime) -> list[Step]:
    """Return the steps of one day of ClockworkSizedCarry."""
    levels = [(2, 0.6), (6, 1.0), (10, 0.25), (18, 0.6), (21, 0.4), (23, 0.0)]
    return [(pd.Timestamp(day) + pd.Timedelta(hours=hour), level) for hour, level in levels]


def backtested(market: Path, url: str, days: int) -> list[Any]:
    stop = START + timedelta(days=days)
    span = f"{int(START.timestamp())}-{int(stop.timestamp())}"
    config = backtest_config(market, url, **SIZED, stake_amount=STAKE, timerange=span)
    return run_backtest(config, load_exchange(config))


def test_an_entry_takes_its_exposure_of_the_full_stake_and_resizes_reach_theirs(market: Path) -> None:
    with served(market, f"{START:%Y-%m-%d}T00:00:05") as exchange:
        trades = backtested(market, exchange.url, 2)
    assert [steps(trade) for trade in trades] == [expected(START), expected(START + timedelta(days=1))]
    full = HedgeLegConfig().stake_for(STAKE, 2.0)
    first = trades[0].orders[0]
    assert first.filled * first.average / 2.0 == pytest.approx(0.6 * full, rel=0.01)  # lots


@pytest.mark.parametrize("dry", [False, True])
def test_a_bot_resizes_both_legs_as_the_backtest_does(market: Path, tmp_path: Path, dry: bool) -> None:
    with (
        served(market, f"{START:%Y-%m-%d}T00:00:05") as exchange,
        rig(exchange, tmp_path, dry=dry, **SIZED, stake_amount=STAKE) as made,
    ):
        made.start()
        made.loop(times=24, seconds=3_600.0)
        rung = [
            text for text in made.messages if "guard: rebalancing@" not in text
        ]  # it rebalances on purpose
        assert rung == []
        trade = made.trade()
        assert steps(trade) == expected(START)
        assert trade.get_custom_data(EXPOSURE_KEY) == 0.6
        assert 0 <= made.carry().spot_qty < LOT  # fees are taken in coins: less than a lot is left
        assert not trade.is_open


def test_a_bot_knows_the_regimes_that_the_recorded_market_tells(market: Path, tmp_path: Path) -> None:
    changes = {"strategy": "RegimeSizedCarry", "strategy_path": str(SHIPPED), "stake_amount": STAKE}
    with (
        served(market, f"{START:%Y-%m-%d}T00:00:05") as exchange,
        rig(exchange, tmp_path, dry=True, **changes) as made,
    ):
        bot = made.start()
        for _ in range(4):
            made.loop(seconds=1800.0)
        seen, _ = bot.dataprovider.get_analyzed_dataframe(PAIR, "1h")
        rung = [
            text for text in made.messages if "guard: rebalancing@" not in text
        ]  # it rebalances on purpose
        assert rung == []
    recorded = load_market(market, PAIR, "1h")
    legs = (recorded.perp, recorded.spot, recorded.funding)
    told = regime_columns(*legs, "1h", recorded.perp["date"]).set_index(recorded.perp["date"])
    tail = seen.set_index("date").iloc[-3:]
    assert tail["regime_exposure"].notna().all()
    pd.testing.assert_frame_equal(
        tail.loc[:, list(REGIME_COLUMNS)],
        told.loc[tail.index].astype(float),
        check_exact=False,
        rtol=1e-12,
        check_freq=False,
        check_index_type=False,
    )

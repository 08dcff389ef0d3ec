"""freqtrade's own profit of a hedged trade is the pair's, whatever the fills, prices, funding and costs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.host.backtest_harness import backtest_config, load_exchange, run_backtest
from tests.random_market import START, RandomMarket, epoch_ms, random_market, rows, write_market

HOUR_MS = 3_600_000
START_MS = int(START.timestamp() * 1000)


@pytest.fixture(scope="module")
def exchange(exchange_url: str, tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """Return a connected exchange that every example reuses."""
    return load_exchange(backtest_config(tmp_path_factory.mktemp("none"), exchange_url))


def naive_net(trade: LocalTrade, market: RandomMarket, hedge: dict[str, Any]) -> float:
    """Recompute a trade's net from the frames, instant by instant, in the plainest way there is."""
    costs, lot = hedge["costs"], hedge["spot_lots"]["BTC"]
    spot = {epoch_ms(row["date"]): row for row in rows(market.spot) if row["volume"] > 0}
    marks = {epoch_ms(row["date"]): row["open"] for row in rows(market.mark)}
    settled = [(epoch_ms(row["date"].round("min")), row["funding_rate"]) for row in rows(market.funding)]
    instants: dict[int, list[Any]] = {}
    for order in trade.orders:
        instants.setdefault(int(order.order_filled_utc.timestamp() * 1000), []).append(order)
    cash = -costs["fixed_per_trade"]
    perp = spot_qty = spot_cost = 0.0
    before = None
    for at_ms in sorted(instants):
        if before is not None:
            cash += sum(-perp * rate * marks[s] for s, rate in settled if before < s <= at_ms)
            cash -= spot_cost * costs["borrow_daily_bps"] * 1e-4 * (at_ms - before) / 86_400_000
        net_qty = 0.0
        for order in instants[at_ms]:
            sign = -1.0 if order.ft_order_side == "sell" else 1.0
            cash -= sign * order.filled * order.safe_price + order.filled * order.safe_price * 0.0005
            net_qty += sign * order.filled
        perp = round(perp + net_qty, 9)
        cash -= abs(net_qty) * instants[at_ms][0].safe_price * costs["perp_slippage_bps"] * 1e-4
        target = np.floor(round(abs(perp) / lot, 6)) * lot
        change = target - spot_qty
        if abs(change) > 1e-12:
            traded = min((ms for ms in spot if ms >= at_ms), default=None)
            raw = spot[max(spot)]["close"] if traded is None else spot[traded]["open"]
            px = raw * (1 + np.sign(change) * costs["spot_slippage_bps"] * 1e-4)
            cash -= change * px + abs(change) * px * costs["spot_taker_bps"] * 1e-4
            spot_cost = spot_cost + change * px if change > 0 else spot_cost * target / spot_qty
        spot_qty, before = target, at_ms
    assert perp == 0.0 and spot_qty == 0.0
    return float(cash)


leave_rows = st.lists(st.integers(13, 230), max_size=12)
script = st.fixed_dictionaries(
    {
        "enter": st.lists(st.integers(0, 200), max_size=30).map(lambda chosen: [*chosen, 12]),
        "leave": leave_rows,
        "resize": st.dictionaries(
            st.integers(1, 235).map(lambda hour: START_MS + hour * HOUR_MS),
            st.sampled_from([-0.7, -0.5, -0.31, 0.4, 0.9]),
            max_size=30,
        ),
    }
)
hedge_block = st.fixed_dictionaries(
    {
        "leverage": st.sampled_from([1.0, 2.0, 3.0]),
        "spot_lots": st.sampled_from([{"BTC": 1e-5}, {"BTC": 0.01}, {"BTC": 0.0007}]),
        "costs": st.fixed_dictionaries(
            {
                "perp_slippage_bps": st.sampled_from([0.0, 1.0, 3.7]),
                "spot_slippage_bps": st.sampled_from([0.0, 1.0, 4.2]),
                "spot_taker_bps": st.sampled_from([0.0, 7.5, 10.0]),
                "fixed_per_trade": st.sampled_from([0.0, 2.0]),
                "borrow_daily_bps": st.sampled_from([0.0, 1.5]),
            }
        ),
    }
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    script=script,
    hedge=hedge_block,
    stake=st.sampled_from(["unlimited", 20_000]),
)
def test_booked_profit_equals_a_naive_recomputation_of_both_legs(
    exchange: Exchange,
    exchange_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    script: dict[str, Any],
    hedge: dict[str, Any],
    stake: str | int,
) -> None:
    datadir = tmp_path_factory.mktemp("market")
    market = random_market(seed)
    write_market(datadir, market)
    config = backtest_config(datadir, exchange_url, script=script, hedge_leg=hedge, stake_amount=stake)
    trades = run_backtest(config, exchange)
    assert trades
    for trade in trades:
        assert trade.close_profit_abs == pytest.approx(naive_net(trade, market, hedge), abs=1e-6)


def test_a_settlement_at_the_very_instant_of_a_resize_is_paid_once(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    market = random_market(5, outages=False)
    market.funding["funding_rate"] = 0.001
    write_market(tmp_path, market)
    at_settlement = START_MS + 16 * HOUR_MS
    script = {"enter": [9], "leave": [30], "resize": {at_settlement: -0.5}}
    hedge = {
        "spot_lots": {"BTC": 1e-5},
        "costs": {"perp_slippage_bps": 0.0, "spot_slippage_bps": 0.0, "spot_taker_bps": 0.0},
    }
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script, hedge_leg=hedge), exchange)
    marks = market.mark.set_index("date")["open"]
    full, half = trade.orders[0].filled, trade.orders[0].filled - trade.orders[1].filled
    expected = 0.001 * (
        full * marks[START + pd.Timedelta(hours=16)] + half * marks[START + pd.Timedelta(hours=24)]
    )
    spot_pnl = naive_net(
        trade,
        market,
        {
            "spot_lots": hedge["spot_lots"],
            "costs": dict(hedge["costs"], fixed_per_trade=0.0, borrow_daily_bps=0.0),
        },
    )
    assert trade.orders[1].order_filled_utc.hour == 16
    assert sum(order.funding_fee for order in trade.orders) == pytest.approx(
        expected + (trade.close_profit_abs - spot_pnl) + _spot_price_pnl(trade, market), abs=1e-6
    )


def _spot_price_pnl(trade: LocalTrade, market: RandomMarket) -> float:
    opens = market.spot.set_index("date")["open"]
    signs = {"sell": -1.0, "buy": 1.0}
    return float(
        sum(
            signs[order.ft_order_side] * order.filled * opens[pd.Timestamp(order.order_filled_utc)]
            for order in trade.orders
        )
    )


def test_no_entry_while_spot_is_not_traded(exchange: Exchange, exchange_url: str, tmp_path: Path) -> None:
    market = random_market(5, outages=False)
    dead = market.spot["date"].between(START + pd.Timedelta(hours=20), START + pd.Timedelta(hours=29))
    market.spot.loc[dead, "volume"] = 0.0
    write_market(tmp_path, market)
    script = {"enter": list(range(19, 29)), "leave": [60], "resize": {}}
    trades = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trades == []


def test_no_exit_while_spot_is_not_traded(exchange: Exchange, exchange_url: str, tmp_path: Path) -> None:
    market = random_market(5, outages=False)
    dead = market.spot["date"].between(START + pd.Timedelta(hours=40), START + pd.Timedelta(hours=44))
    market.spot.loc[dead, "volume"] = 0.0
    write_market(tmp_path, market)
    script = {"enter": [20], "leave": list(range(40, 60)), "resize": {}}
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trade.close_date_utc == START + pd.Timedelta(hours=45)

"""Capital, liquidation, roll, detail candles and data gates of a hedged backtest."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade

from tests.host.backtest_harness import backtest_config, load_exchange, run_backtest
from tests.random_market import START, RandomMarket, random_market, rows, write_market

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
COSTLESS = {"perp_slippage_bps": 0.0, "spot_slippage_bps": 0.0, "spot_taker_bps": 0.0}


@pytest.fixture(scope="module")
def exchange(exchange_url: str, tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """Return a connected exchange that knows the three pairs."""
    config = backtest_config(tmp_path_factory.mktemp("none"), exchange_url)
    return load_exchange(config)


def three_pairs(datadir: Path, exchange_url: str, **changes: Any) -> dict[str, Any]:
    """Write three markets and return a configuration that trades them all."""
    for seed, pair in enumerate(PAIRS):
        write_market(datadir, random_market(seed, outages=False), pair)
    config = backtest_config(datadir, exchange_url, max_open_trades=3, **changes)
    config["exchange"]["pair_whitelist"] = PAIRS
    return config


def capital_tied(trades: list[LocalTrade]) -> list[float]:
    """Return what both legs of all open pairs cost after each entry, spot at the perp's price."""
    opened = sorted(trades, key=lambda trade: trade.open_date_utc)
    tied = []
    for trade in opened:
        alive = [t for t in opened if t.open_date_utc <= trade.open_date_utc < t.close_date_utc]
        tied.append(sum(t.orders[0].filled * t.orders[0].safe_price * (1 + 1 / t.leverage) for t in alive))
    return tied


@pytest.mark.parametrize("stake", ["unlimited", 30_000, 45_000, 80_000])
@pytest.mark.parametrize("leverage", [1.0, 2.0, 3.0])
def test_open_pairs_never_spend_the_same_cash_twice(
    exchange: Exchange, exchange_url: str, tmp_path: Path, stake: str | int, leverage: float
) -> None:
    script = {"enter": [20, 21, 22], "leave": [200], "resize": {}}
    config = three_pairs(
        tmp_path, exchange_url, script=script, stake_amount=stake, hedge_leg={"leverage": leverage}
    )
    trades = run_backtest(config, exchange)
    first_entries = [trade for trade in trades if trade.enter_tag == "carry"]  # the others were rolled
    assert len(first_entries) == {"unlimited": 3, 30_000: 3, 45_000: 2, 80_000: 1}[stake]
    assert max(capital_tied(trades)) <= 100_000 * 0.99
    if stake == "unlimited":
        assert max(capital_tied(trades)) > 100_000 * 0.9


def test_an_increase_is_limited_to_the_cash_that_both_legs_leave(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    resize = {int((START + pd.Timedelta(hours=h)).timestamp() * 1000): 5.0 for h in range(30, 60)}
    script = {"enter": [20], "leave": [200], "resize": resize}
    config = three_pairs(tmp_path, exchange_url, script=script, stake_amount=20_000)
    trades = run_backtest(config, exchange)
    entries = [o for t in trades for o in t.orders if o.ft_order_side == "sell"]
    assert len(entries) > len(trades)
    spent = sum(order.filled * order.safe_price * 1.5 for order in entries)
    assert spent <= 100_000


def test_an_entry_waits_where_its_fill_would_coincide_with_a_settlement(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    write_market(tmp_path, random_market(3, outages=False))
    script = {"enter": [23, 24], "leave": [60], "resize": {}}
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trade.open_date_utc == START + pd.Timedelta(hours=25)


def test_a_pair_is_not_judged_by_a_close_before_its_entry(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    market = random_market(3, outages=False)
    late = market.perp["date"] >= START + pd.Timedelta(hours=21)
    prices = ["open", "high", "low", "close"]
    market.perp.loc[late, prices] = (market.perp.loc[late, prices] * 1.05).round(2)
    write_market(tmp_path, market)  # against the close before, the entry at 21:00 looks 500 bps in profit
    script = {"enter": [20], "leave": [], "resize": {}, "policy": {"take_profit_bps": 200}}
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trade.open_date_utc == START + pd.Timedelta(hours=21)
    assert trade.exit_reason == "force_exit"


def rally(factor: float, at_hour: int) -> RandomMarket:
    """Return a market that jumps up by `factor` within one candle and stays there."""
    market = random_market(3, outages=False)
    for frame in (market.perp, market.spot, market.mark):
        late = frame["date"] >= START + pd.Timedelta(hours=at_hour)
        prices = ["open", "high", "low", "close"]
        frame.loc[late, prices] = (frame.loc[late, prices] * factor).round(2)
    return market


def test_a_rally_rolls_the_pair_and_opens_it_again(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    write_market(tmp_path, rally(1.25, 100))
    script = {"enter": [20], "leave": [], "resize": {}}
    config = backtest_config(tmp_path, exchange_url, script=script)
    first, second = run_backtest(config, exchange)
    assert first.exit_reason == "roll"
    assert second.enter_tag == "roll"
    assert second.open_date_utc - first.close_date_utc <= pd.Timedelta(hours=2)
    assert second.exit_reason == "force_exit"


def test_a_wick_of_the_last_price_does_not_liquidate_but_one_of_the_mark_does(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    script = {"enter": [20], "leave": [150], "resize": {}}
    market = random_market(3, outages=False)
    opened = float(market.perp["open"].iloc[100])
    market.perp.loc[100, "high"] = opened * 3
    write_market(tmp_path, market)
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trade.exit_reason == "signal_off"
    market.mark.loc[100, "high"] = opened * 2
    market.spot.loc[100, "high"] = opened * 2
    write_market(tmp_path, market)
    (trade,) = run_backtest(backtest_config(tmp_path, exchange_url, script=script), exchange)
    assert trade.exit_reason == "liquidation"
    assert trade.close_profit_abs > -0.05 * trade.stake_amount  # the spot leg was sold at that price too


def test_detail_candles_fill_the_spot_leg_at_their_own_open(
    exchange: Exchange, exchange_url: str, tmp_path: Path
) -> None:
    market = random_market(3, outages=False)
    write_market(tmp_path, market)
    fine = {}
    for name in ("perp", "spot"):
        frame = getattr(market, name)
        parts = [frame.assign(date=frame["date"] + pd.Timedelta(minutes=15 * i)) for i in range(4)]
        fine[name] = pd.concat(parts).sort_values("date").reset_index(drop=True)
    detail = RandomMarket(fine["perp"], fine["spot"], market.mark, market.funding)
    write_market(tmp_path, detail, timeframe="15m")
    at = START + pd.Timedelta(hours=50, minutes=30)
    script = {"enter": [20], "leave": [100], "resize": {int(at.timestamp() * 1000): -0.5}}
    config = backtest_config(
        tmp_path, exchange_url, script=script, timeframe_detail="15m", hedge_leg={"costs": COSTLESS}
    )
    (trade,) = run_backtest(config, exchange)
    assert trade.orders[1].order_filled_utc == at
    opens = fine["spot"].set_index("date")["open"]
    perp_cash = sum(
        (1 if o.ft_order_side == "sell" else -1) * o.filled * o.safe_price - o.filled * o.safe_price * 0.0005
        for o in trade.orders
    )
    spot_cash = sum(
        (-1 if o.ft_order_side == "sell" else 1) * o.filled * opens[pd.Timestamp(o.order_filled_utc)]
        for o in trade.orders
    )
    funding = trade.close_profit_abs - perp_cash - spot_cash
    marks = market.mark.set_index("date")["open"]
    held, expected = 0.0, 0.0
    stamps = market.funding.assign(date=market.funding["date"].dt.round("min"))
    for row in rows(stamps):
        held = sum(
            (1 if o.ft_order_side == "sell" else -1) * o.filled
            for o in trade.orders
            if pd.Timestamp(o.order_filled_utc) < row["date"]
        )
        expected += held * row["funding_rate"] * marks[row["date"]]
    assert funding == pytest.approx(expected, abs=1e-6)


def without_spot(market: RandomMarket) -> RandomMarket:
    """Return the market with the first half of its spot candles gone."""
    return RandomMarket(
        market.perp, market.spot.iloc[120:].reset_index(drop=True), market.mark, market.funding
    )


def without_settlements(market: RandomMarket) -> RandomMarket:
    """Return the market with three settlements missing in the middle."""
    funding = market.funding.drop(index=range(10, 13)).reset_index(drop=True)
    return RandomMarket(market.perp, market.spot, market.mark, funding)


@pytest.mark.parametrize("damage", [without_spot, without_settlements])
def test_a_backtest_over_uncovered_data_stops_with_one_line(
    exchange: Exchange, exchange_url: str, tmp_path: Path, damage: Any
) -> None:
    write_market(tmp_path, damage(random_market(3, outages=False)))
    config = backtest_config(tmp_path, exchange_url, script={"enter": [20], "leave": [], "resize": {}})
    with pytest.raises(OperationalException) as refused:
        run_backtest(config, exchange)
    message = str(refused.value)
    assert "\n" not in message
    assert "BTC/USDT" in message
    assert "carry download" in message


@pytest.mark.parametrize(
    ("block", "named", "allowed"),
    [
        ({"leverage": 5}, "hedge_leg.leverage", "3"),
        ({"cost": {}}, "hedge_leg.cost", "costs"),
        ({"costs": {"spot_fee": 1}}, "spot_fee", "spot_taker_bps"),
        ({"costs": {"spot_taker_bps": -1}}, "spot_taker_bps", ">= 0"),
        ({"costs": {"spot_liquidity": "both"}}, "spot_liquidity", "'maker' or 'taker'"),
        ({"spot_lots": {"BTC": 0}}, "spot_lots.BTC", "1e-8"),
        ([], "hedge_leg", "object"),
    ],
)
def test_a_wrong_block_names_the_field_and_what_is_allowed(
    exchange: Exchange, exchange_url: str, tmp_path: Path, block: Any, named: str, allowed: str
) -> None:
    config = backtest_config(tmp_path, exchange_url, script={}, hedge_leg=block)
    with pytest.raises(OperationalException) as refused:
        run_backtest(config, exchange)
    assert named in str(refused.value)
    assert allowed in str(refused.value)
    assert "\n" not in str(refused.value)

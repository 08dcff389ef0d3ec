"""Run freqtrade's real `Backtesting` class over a data folder, against the paper exchange's metadata."""

from pathlib import Path
from typing import Any

from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade
from freqtrade.resolvers import ExchangeResolver

STRATEGIES = Path(__file__).parent / "strategies"
SHIPPED = Path(__file__).parents[2] / "user_data" / "strategies"


def backtest_config(datadir: Path, exchange_url: str, **changes: Any) -> dict[str, Any]:
    """Return a complete backtest configuration; `changes` replace top-level keys."""
    urls = dict.fromkeys(("public", "private", "v1", "sapi"), f"{exchange_url}/api/v3")
    urls |= dict.fromkeys(("fapiPublic", "fapiPrivate", "fapiPublicV2"), f"{exchange_url}/fapi/v1")
    exchange = {
        "name": "binance",
        "pair_whitelist": ["BTC/USDT:USDT"],
        "ccxt_config": {"options": {"fetchMarkets": {"types": ["spot", "linear"]}}, "urls": {"api": urls}},
    }
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    config: dict[str, Any] = {
        "runmode": RunMode.BACKTEST,
        "trading_mode": TradingMode.FUTURES,
        "margin_mode": MarginMode.ISOLATED,
        "candle_type_def": CandleType.FUTURES,
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "max_open_trades": 1,
        "tradable_balance_ratio": 0.99,
        "amend_last_stake_amount": False,
        "last_stake_amount_min_ratio": 0.5,
        "dry_run": True,
        "dry_run_wallet": 100_000,
        "fee": 0.0005,
        "timeframe": "1h",
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "export": "none",
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": exchange,
        "datadir": datadir,
        "user_data_dir": datadir,
        "exportdirectory": datadir,
        "strategy": "ScriptedCarry",
        "strategy_path": str(STRATEGIES),
        "original_config": {},
        "hedge_leg": {},
    }
    return config | changes


def load_exchange(config: dict[str, Any]) -> Exchange:
    """Connect to the paper exchange once; the object serves many backtests."""
    return ExchangeResolver.load_exchange(config, load_leverage_tiers=True, validate=False)


def run_backtest(config: dict[str, Any], exchange: Exchange) -> list[LocalTrade]:
    """Backtest one strategy and return its closed trades, as freqtrade booked them."""
    backtesting = Backtesting(config, exchange)
    data, timerange = backtesting.load_bt_data()
    backtesting.backtest_one_strategy(backtesting.strategylist[0], data, timerange)
    trades = list(LocalTrade.bt_trades)
    Backtesting.cleanup()
    return trades

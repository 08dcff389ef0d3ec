"""Read what a sweep needs from freqtrade: configuration, strategy class, the exchange's market rules.

The only importer of freqtrade in the sweep (ADR 13). Strategies are loaded by freqtrade's own resolver and
their parameters read from their class; market rules come from the exchange that the configuration names, as
in `freqtrade backtesting`. Every error of freqtrade becomes one line.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import MarginMode, RunMode, TradingMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.strategy.parameters import BaseParameter, CategoricalParameter, DecimalParameter, IntParameter

from carry.errors import UsageError
from carry.sweep.joint import JOINT_BASE, JOINT_RULES
from carry.sweep.settings import SMALLEST_LOT, UNLIMITED, PairLimits, SweepSettings, Tier
from carry.sweep.signals import CHILD_BASE, RULES, SIZED_BASE, SIZED_RULES, Range, Space, SweptStrategy

_TICK_SIZE = 4  # ccxt's counting mode of precisions given as steps
_BASE = "HedgedStrategy"
# What has to be as in HedgedStrategy for the kernel's fills to be freqtrade's: attribute -> allowed values.
_FIXED: dict[str, tuple[Any, ...]] = {
    "trailing_stop": (False,),
    "use_custom_stoploss": (False,),
    "use_exit_signal": (True,),
    "exit_profit_only": (False,),
    "stoploss": (-0.99,),
    "minimal_roi": ({0: 100.0},),
    "protections": ([],),
}
_REFUSED_KEYS = ("timeframe_detail", "available_capital", "position_stacking", "enable_dynamic_pairlist")


@contextmanager
def one_line() -> Iterator[None]:
    """Turn freqtrade's errors into UsageError with one line, and keep its log to warnings."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except FreqtradeException as error:
        raise UsageError(" ".join(str(error).split())) from error
    finally:
        logging.disable(level)


def read_configuration(files: Sequence[Path], **changes: Any) -> dict[str, Any]:
    """Return freqtrade's merged configuration for a backtest; `changes` are its command-line arguments.

    Raises UsageError for what freqtrade refuses.
    """
    for path in files:
        if not path.is_file():
            raise UsageError(f"configuration {path} does not exist: give a file to -c")
    given = {name: value for name, value in changes.items() if value is not None}
    with one_line():
        arguments = {"config": [str(path) for path in files], **given}
        config = dict(setup_optimize_configuration(arguments, RunMode.BACKTEST))
    refused = [name for name in _REFUSED_KEYS if config.get(name)]
    if refused:
        raise UsageError(f"configuration field {refused[0]} is set: the sweep does not know it, take it out")
    if config.get("trading_mode") != TradingMode.FUTURES or config.get("margin_mode") != MarginMode.ISOLATED:
        raise UsageError("the sweep needs trading_mode futures and margin_mode isolated")
    return config


def load_strategy(config: dict[str, Any], name: str) -> SweptStrategy:
    """Load a strategy by freqtrade's resolver; UsageError where the sweep cannot express its rules."""
    with one_line():
        try:
            instance = StrategyResolver.load_strategy(config | {"strategy": name})
        except ImportError as error:
            raise UsageError(" ".join(str(error).split())) from error
    _require_expressible(name, instance)
    return SweptStrategy(
        name=name,
        instance=instance,
        space=parameter_space(instance),
        startup=int(instance.startup_candle_count),
        reload=partial(load_strategy, config, name),
        sized=any(one.__name__ == SIZED_BASE for one in type(instance).__mro__),
        own_features=type(instance).features_of is not base_of(instance).features_of,
    )


def base_of(instance: Any) -> Any:
    """Return HedgedStrategy as the instance inherits it, None if it does not."""
    return next((one for one in type(instance).__mro__ if one.__name__ == _BASE), None)


def stated_beyond(instance: Any, base: type) -> set[str]:
    """Return the names that a strategy's own classes state below `base`."""
    return {
        key
        for one in type(instance).__mro__
        if issubclass(one, base) and one is not base
        for key in vars(one)
    }


def _require_expressible(name: str, instance: Any) -> None:
    """Refuse a strategy that states more than the rules, naming all of it."""
    mro = type(instance).__mro__
    base = base_of(instance)
    if base is None:
        raise UsageError(f"{name} cannot be swept: it is not a {_BASE}")
    special = {CHILD_BASE: RULES, JOINT_BASE: JOINT_RULES, SIZED_BASE: SIZED_RULES}
    nearest = next((one for one in mro if one.__name__ in special), base)
    rules = special.get(nearest.__name__, RULES)
    stated = stated_beyond(instance, nearest)
    beyond = sorted(key for key in stated - rules if callable(getattr(base, key, None)) and key[:2] != "__")
    beyond += ["__init__"] if "__init__" in stated and not beyond else []
    fixed = _FIXED | {"position_adjustment_enable": (nearest.__name__ == SIZED_BASE,)}
    for attribute, allowed in fixed.items():
        value = getattr(instance, attribute, allowed[0])
        if value not in allowed:
            beyond.append(f"{attribute} = {value}")
    if beyond:
        known = ", ".join(sorted(rules))
        raise UsageError(
            f"{name} cannot be swept: it states {', '.join(beyond)} and the sweep knows {known}; "
            "use freqtrade hyperopt"
        )


def parameter_space(instance: Any) -> Space:
    """Return the strategy's parameters, read from its class, in the order of their statement."""
    stated: dict[str, BaseParameter] = {}
    for one in reversed(type(instance).__mro__):
        stated |= {
            name: getattr(instance, name)
            for name in vars(one)
            if isinstance(getattr(instance, name, None), BaseParameter)
        }
    return Space(tuple(_range(name, parameter) for name, parameter in stated.items()))


def _range(name: str, parameter: Any) -> Range:
    values: tuple[Any, ...] | None = (parameter.value,)
    low = high = math.nan
    decimals = 0
    if parameter.optimize and isinstance(parameter, CategoricalParameter):
        values = tuple(parameter.opt_range)
    elif parameter.optimize and isinstance(parameter, IntParameter):
        values = tuple(range(parameter.low, parameter.high + 1))
    elif parameter.optimize:
        values, low, high = None, float(parameter.low), float(parameter.high)
        decimals = int(parameter.decimals) if isinstance(parameter, DecimalParameter) else 16
    return Range(name, parameter.value, values, low, high, decimals, str(parameter.space))


def load_exchange(config: dict[str, Any]) -> Any:
    """Connect to the exchange as freqtrade's backtest does; UsageError where it cannot be reached."""
    with one_line():
        return ExchangeResolver.load_exchange(config, load_leverage_tiers=True, validate=False)


def read_settings(
    config: dict[str, Any], strategy: SweptStrategy, exchange: Any, pairs: Sequence[str]
) -> SweepSettings:
    """Return the run's settings from the configuration, the strategy's hedge block and the exchange."""
    with one_line():
        return _settings(config, strategy, exchange, pairs)


def _settings(
    config: dict[str, Any], strategy: SweptStrategy, exchange: Any, pairs: Sequence[str]
) -> SweepSettings:
    hedge = strategy.instance.hedge
    wallet = config["dry_run_wallet"]
    if isinstance(wallet, dict):
        wallet = wallet.get(config["stake_currency"], 0.0)
    slots = float(config.get("max_open_trades", strategy.instance.max_open_trades))
    if slots == 0:
        raise UsageError("max_open_trades is 0: nothing would be traded")
    fee = config.get("fee")
    if fee is None:
        fees = (exchange.get_fee(symbol=pairs[0], taker_or_maker=side) for side in ("taker", "maker"))
        fee = max(one for one in fees if one is not None)
    stake = config["stake_amount"]
    return SweepSettings(
        wallet=float(wallet),
        stake_amount=stake if stake == UNLIMITED else float(stake),
        max_open_trades=slots if slots > 0 else math.inf,
        tradable_balance_ratio=float(config["tradable_balance_ratio"]),
        amend_last_stake_amount=bool(config["amend_last_stake_amount"]),
        last_stake_amount_min_ratio=float(config["last_stake_amount_min_ratio"]),
        amount_reserve_percent=float(config.get("amount_reserve_percent", 0.05)),
        liquidation_buffer=float(config.get("liquidation_buffer", 0.05)),
        fee=float(fee),
        leverage=float(hedge.leverage),
        cash_buffer=float(hedge.cash_buffer),
        roll_distance=float(hedge.roll_distance),
        costs=hedge.costs,
        limits={pair: _limits(exchange, pair, hedge.spot_lots) for pair in pairs},
    )


def _limits(exchange: Any, pair: str, spot_lots: dict[str, float]) -> PairLimits:
    if pair not in exchange.markets or pair not in exchange._leverage_tiers:
        raise UsageError(f"{pair} is not a perp of this exchange: take it out of the pairs")
    if exchange.precisionMode != _TICK_SIZE or exchange.get_contract_size(pair) != 1:
        raise UsageError(f"{pair} trades in contracts or digits that the sweep does not know")
    limits = exchange.markets[pair]["limits"]

    def limit(what: str, end: str, absent: float) -> float:
        value = limits[what][end]
        return absent if value is None else float(value)

    return PairLimits(
        amount_step=float(exchange.get_precision_amount(pair)),
        price_step=float(exchange.get_precision_price(pair)),
        min_amount=limit("amount", "min", 0.0),
        max_amount=limit("amount", "max", math.inf),
        min_cost=limit("cost", "min", 0.0),
        max_cost=limit("cost", "max", math.inf),
        spot_lot=float(spot_lots.get(pair.split("/", maxsplit=1)[0], SMALLEST_LOT)),
        tiers=tuple(_tier(one) for one in exchange._leverage_tiers[pair]),
    )


def _tier(one: dict[str, Any]) -> Tier:
    most = one["maxNotional"]
    return Tier(
        float(one["minNotional"]),
        math.inf if most is None else float(most),
        float(one["maxLeverage"]),
        float(one["maintenanceMarginRate"]),
        float(one["maintAmt"] or 0.0),
    )

"""Evaluate many parameter sets on one window: arrays once, then one kernel pass per set."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from carry.costs import BPS
from carry.errors import UsageError
from carry.features import carry_features
from carry.rules import ExitPolicy
from carry.sweep import layout as at
from carry.sweep.history import History, PairWindow, window
from carry.sweep.joint import signals_of
from carry.sweep.kernel import run
from carry.sweep.kernel_desk import new_desk
from carry.sweep.layout import Limits, Terms, signals_at
from carry.sweep.market import DAY_MS, Bools, MarketArrays, market_arrays, on_grid
from carry.sweep.results import SetResult
from carry.sweep.settings import UNLIMITED, SweepSettings, ratio
from carry.sweep.signals import PairSignals, ParameterSet, SweptStrategy
from carry.timerange import Timerange

_FIRST_RECORDS = 4096


@dataclass(slots=True)
class SweepMarket:
    """One window of the market, ready for any parameter set of one strategy. Made by `prepare`."""

    timeframe: str
    windows: Sequence[PairWindow]
    arrays: MarketArrays
    signals: PairSignals
    known: Bools
    fillable: Bools

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the pairs that have data in the window."""
        return tuple(one.pair for one in self.windows)

    def lay(self, columns: Sequence[Any]) -> Any:
        """Return pairs' columns (rows of their frames) on the common grid, shape (pairs, candles)."""
        size = len(self.arrays.at_ms)
        return np.stack(
            [
                on_grid(column, one.startup, size, int(first))
                for one, column, first in zip(self.windows, columns, self.arrays.first, strict=True)
            ]
        )


def prepare(history: History, strategy: SweptStrategy, timerange: Timerange | None = None) -> SweepMarket:
    """Cut the history to a time range and compute the features that the strategy's rules read.

    The range is freqtrade's: the candle that opens at its end is included. Raises DataError where the data
    do not cover it.
    """
    windows = window(history, timerange or Timerange(), strategy.startup)
    frames = [_features(one, history.timeframe, strategy) for one in windows]
    signals = signals_of(strategy, frames, windows, history.timeframe)
    arrays = market_arrays(windows, frames, history.timeframe)
    empty = np.zeros((0, 0), dtype=np.bool_)
    market = SweepMarket(history.timeframe, windows, arrays, signals, empty, empty)
    market.known, market.fillable = market.lay(signals.known), market.lay(signals.fillable)
    return market


def _features(one: PairWindow, timeframe: str, strategy: SweptStrategy) -> pd.DataFrame:
    if strategy.own_features:
        features, read = strategy.ask("features_of", strategy.space.defaults, one.pair, one.candles)
        if read:
            raise UsageError(f"{strategy.name} cannot be swept: its features depend on {min(read)}")
    else:
        features = carry_features(one.candles, one.market.spot, one.market.funding, timeframe)
    added: pd.DataFrame = features.drop(columns=one.candles.columns, errors="ignore")
    return pd.concat([one.candles, added], axis=1)


def evaluate(
    market: SweepMarket,
    parameter_sets: Sequence[ParameterSet],
    settings: SweepSettings,
    progress: Callable[[int], None] | None = None,
) -> list[SetResult]:
    """Return one result per parameter set, in their order; `progress` is told how many are done.

    Parameters that a set leaves out have the strategy's defaults. Raises UsageError for an unknown parameter,
    a pair without market rules, or a stake that the exchange's leverage brackets do not take.
    """
    market.signals.slots = settings.max_open_trades
    terms = terms_of(settings, market.pairs)
    space = market.signals.strategy.space
    desk = new_desk(len(market.pairs), _FIRST_RECORDS)
    arrays = market.arrays
    daily, figures = np.empty(int(arrays.day[-1]) + 1), np.empty(3)
    midnights = (int(arrays.at_ms[0]) // DAY_MS + np.arange(len(daily))) * DAY_MS
    results: list[SetResult] = []
    for done, chosen in enumerate(parameter_sets, start=1):
        parameters = space.complete(chosen)
        entry, hold = (ask(parameters, market.lay) for ask in (market.signals.entries, market.signals.holds))
        limits = _limits(market.signals.policy(parameters))
        sizes = market.signals.sizes(parameters, market.lay)
        signals = signals_at(entry, hold, market.known, market.fillable)
        while True:
            status, trades, filled = run(arrays, terms, limits, sizes, signals, desk, daily, figures)
            if status != at.FULL:
                break
            desk = new_desk(len(market.pairs), 2 * len(desk.records))
        if status == at.STAKE_TOO_HIGH:
            raise UsageError("the stake is too high for the exchange's leverage brackets: give a smaller one")
        marked = ~np.isnan(daily)
        results.append(
            SetResult(
                parameters=parameters,
                pairs=market.pairs,
                wallet=settings.wallet,
                at_ms=arrays.at_ms,
                records=desk.records[:trades].copy(),
                fills=desk.fills[:filled].copy(),
                day_ms=midnights[marked],
                equity=daily[marked],
                deepest=float(figures[0]),
                exposure=float(figures[1]) / settings.wallet,
            )
        )
        if progress is not None:
            progress(done)
    return results


def _limits(policy: ExitPolicy) -> Limits:
    return Limits(
        float(policy.holding_window_h),
        float(policy.maximum_holding_h),
        bool(policy.after_settlement),
        float(policy.stop_loss_bps),
        float(policy.take_profit_bps),
        float(policy.flip_tolerance_h),
    )


def terms_of(settings: SweepSettings, pairs: Sequence[str]) -> Terms:
    """Return the settings in the kernel's units; UsageError for a pair whose market rules are not known."""
    limits = [settings.limits_of(pair) for pair in pairs]
    brackets = max(len(one.tiers) for one in limits)
    tiers = np.full((len(pairs), brackets, 5), np.nan)
    for k, one in enumerate(limits):
        for j, tier in enumerate(one.tiers):
            tiers[k, j] = (
                tier.min_notional,
                tier.max_notional,
                tier.max_leverage,
                tier.maintenance_rate,
                tier.maintenance_amount,
            )
    rules = [
        (
            *ratio(one.amount_step),
            *ratio(one.price_step),
            *ratio(one.spot_lot),
            *(one.min_amount, one.max_amount, one.min_cost, one.max_cost),
        )
        for one in limits
    ]
    costs = settings.costs
    fixed_stake = settings.stake_amount != UNLIMITED
    return Terms(
        wallet=float(settings.wallet),
        stake=float(settings.stake_amount) if fixed_stake else math.nan,
        slots=float(settings.max_open_trades),
        ratio=float(settings.tradable_balance_ratio),
        amend=bool(settings.amend_last_stake_amount),
        amend_share=float(settings.last_stake_amount_min_ratio),
        amount_reserve=float(settings.amount_reserve_percent),
        liquidation_buffer=float(settings.liquidation_buffer),
        fee=float(settings.fee),
        leverage=float(settings.leverage),
        reserve=float(settings.reserve),
        roll_distance=float(settings.roll_distance),
        perp_slip=costs.perp_slippage_bps * BPS,
        spot_slip=costs.spot_slippage_bps * BPS,
        spot_fee=costs.spot_fee_rate,
        borrow_per_ms=costs.borrow_daily_bps * BPS / DAY_MS,
        fixed=float(costs.fixed_per_trade),
        side_bps=float(costs.side_bps),
        pairs=np.array(rules, dtype=np.float64),
        tiers=tiers,
    )

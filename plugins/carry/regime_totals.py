"""The three strategies of the published table, under its own rules, for comparison only.

Source: REFERENCES section 2. What is wrong with these rules is listed there (traps a to h); the fourth
account is the always-on control without the weekly turnover that it never trades. The accounts are simulated
cycle by cycle because each position depends on the capital before it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.moments import Floats, window_moments
from carry.regime import EXPOSURE, Regime
from carry.regime_published import FIRST_CYCLE, HISTORY_CYCLES

CAPITAL = 10_000.0
COST_RATE = 0.001  # of each change of notional
CYCLES_PER_YEAR = 1095.0
FUNDING_LIMIT, BASIS_LIMIT = 0.01, 0.05  # of the notional, per cycle
SHARE, THRESHOLD_SHARE = 0.5, 0.1
RESIZE_BAND = 0.2
WEEK_CYCLES, LONGEST_CYCLES = 21, 12


@dataclass(frozen=True, slots=True)
class Account:
    """One strategy's totals. `equity` (n,) quote, after each cycle; Sharpe annualised by sqrt(1095).

    `begin`: what returns are measured from. The published three measure from their first cycle's end, which
    leaves the entry cost out; the control that pays only what it trades measures from its capital.
    """

    name: str
    equity: Floats
    trades: int
    begin: float

    @property
    def sharpe(self) -> float:
        """Return mean / population std of the cycle returns, a year; 0 where nothing moves."""
        returns = self.equity[1:] / self.equity[:-1] - 1.0
        spread = float(returns.std()) if len(returns) else 0.0
        return float(returns.mean()) / spread * CYCLES_PER_YEAR**0.5 if spread > 0 else 0.0

    @property
    def total_return(self) -> float:
        """Return last equity / begin - 1."""
        return float(self.equity[-1] / self.begin - 1.0)

    @property
    def annual_return(self) -> float:
        """Return the yearly rate that compounds to the total return."""
        return float((1.0 + self.total_return) ** (CYCLES_PER_YEAR / len(self.equity)) - 1.0)

    @property
    def max_drawdown(self) -> float:
        """Return the largest fall from a peak as a share of the peak, >= 0."""
        return float((1.0 - self.equity / np.maximum.accumulate(self.equity)).max())


def published_totals(cycles: pd.DataFrame) -> list[Account]:
    """Run sized, naive, threshold and the uncharged always-on on `published_cycles(...).cycles`."""
    rate = cycles["funding_rate"].to_numpy(dtype=np.float64)
    move = (cycles["basis_end"] - cycles["basis_start"]).to_numpy(dtype=np.float64) / 100.0
    shares = [EXPOSURE[Regime(name)] for name in cycles["regime"][FIRST_CYCLE:]]
    later = slice(FIRST_CYCLE, None)
    return [
        _sized(rate[later], move[later], shares),
        _naive(rate[later], move[later]),
        _threshold(rate, move),
        _always_on(rate[later], move[later]),
    ]


def _profit(notional: float, rate: float, move: float) -> float:
    """Return one cycle's profit of a short of `notional` (long: negative), each part clipped."""
    funding_cap, basis_cap = FUNDING_LIMIT * abs(notional), BASIS_LIMIT * abs(notional)
    funding = min(max(notional * rate, -funding_cap), funding_cap)
    return funding + min(max(-notional * move, -basis_cap), basis_cap)


def _sized(rate: Floats, move: Floats, shares: list[float]) -> Account:
    capital, notional, trades = CAPITAL, 0.0, 0
    equity = np.empty(len(rate))
    for cycle, share in enumerate(shares):
        target = SHARE * capital * share
        if abs(target - notional) > RESIZE_BAND * notional:
            capital -= COST_RATE * abs(target - notional)
            notional, trades = target, trades + 1
        capital += _profit(notional, rate[cycle], move[cycle])
        equity[cycle] = capital
    return Account("V2 Physics", equity, trades, float(equity[0]))


def _naive(rate: Floats, move: Floats) -> Account:
    capital, trades = CAPITAL, 0
    notional = SHARE * capital
    equity = np.empty(len(rate))
    for cycle in range(len(rate)):
        capital += _profit(notional, rate[cycle], move[cycle])
        if cycle and cycle % WEEK_CYCLES == 0:
            capital -= COST_RATE * notional
            notional, trades = SHARE * capital, trades + 1
        equity[cycle] = capital
    return Account("Naive Always-On", equity, trades, float(equity[0]))


def _always_on(rate: Floats, move: Floats) -> Account:
    """Return the control: one entry, one notional, no turnover that is not traded."""
    notional = SHARE * CAPITAL
    profits = [_profit(notional, *cycle) for cycle in zip(rate, move, strict=True)]
    equity = CAPITAL - COST_RATE * notional + np.cumsum(profits)
    return Account("Always-On Without Weekly Turnover", equity, 1, CAPITAL)


def _threshold(rate: Floats, move: Floats) -> Account:
    _, mean, std = window_moments(np.concatenate(([np.nan], rate[:-1])), HISTORY_CYCLES)
    capital, notional, held, trades = CAPITAL, 0.0, 0, 0
    first = FIRST_CYCLE + HISTORY_CYCLES
    equity = np.full(max(len(rate) - first, 1), CAPITAL)
    for cycle in range(first, len(rate)):
        if notional:
            capital += _profit(notional, rate[cycle], move[cycle])
            held += 1
            if abs(rate[cycle]) < abs(mean[cycle]) or held >= LONGEST_CYCLES:
                capital -= COST_RATE * abs(notional)
                notional = 0.0
        elif abs(rate[cycle]) > abs(mean[cycle]) + std[cycle]:
            notional = float(THRESHOLD_SHARE * capital * np.sign(rate[cycle]))
            capital -= COST_RATE * abs(notional)
            held, trades = 0, trades + 1
        equity[cycle - first] = capital
    return Account("Threshold Arb", equity, trades, float(equity[0]))

"""What a carry earned in the cycle after each settlement, by the causal regime known at it.

For study: a bucket's figure is a mean of the past, not a forecast. Notional is one; a position is taken at
the basis known at a settlement and earns the *next* settlement's rate and the change of the basis until then,
nothing clipped. Accounts pay the cost of one side on each change of exposure, the entry and the final exit
included, so the always-on control pays for what it trades and for nothing else.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from carry.costs import BPS
from carry.features import Bools
from carry.moments import Floats
from carry.regime import FAST_RATIO, SLOW_RATIO, Regime, exposure_of

RATIO_EDGES: Final = (0.35, 0.7, FAST_RATIO, SLOW_RATIO)
CYCLES_A_YEAR: Final = 1095.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """One group of cycles. Bps of one leg's notional per cycle, before costs; nan where it is empty."""

    name: str
    cycles: int
    share: float
    funding_bps: float
    basis_bps: float
    worst_bps: float
    negative_share: float  # of cycles whose next rate was <= 0


@dataclass(frozen=True, slots=True)
class RegimeAccount:
    """One way of holding. Percent of one leg's notional at full exposure."""

    name: str
    net_pct_a_year: float
    cost_pct_a_year: float
    max_drawdown_pct: float
    mean_exposure: float
    sharpe: float


def cycle_returns(cycles: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return funding and basis P&L (n,) in bps of the cycle after each settlement; NaN for the last."""
    funding = cycles["funding_rate"].shift(-1).to_numpy(dtype=np.float64) / BPS
    basis = cycles["basis_start"].to_numpy(dtype=np.float64)
    return funding, -np.append(np.diff(basis), np.nan) * 100.0


def regime_buckets(cycles: pd.DataFrame) -> list[Bucket]:
    """Return buckets by regime, then by relaxation ratio, of the cycles whose regime is known."""
    funding, basis = cycle_returns(cycles)
    regime = cycles["regime"].to_numpy(dtype=np.str_)
    ratio = cycles["relaxation_ratio"].to_numpy(dtype=np.float64)
    known = (regime != "") & ~np.isnan(funding + basis)
    groups = [("all", known)] + [(str(name), known & (regime == name)) for name in Regime]
    edges = (0.0, *RATIO_EDGES, np.inf)
    for low, high in pairwise(edges):
        label = f"ratio {low:g} to {high:g}" if high < np.inf else f"ratio above {low:g}"
        groups.append((label, known & (ratio >= low) & (ratio < high)))
    return [_bucket(name, chosen, int(known.sum()), funding, basis) for name, chosen in groups]


def _bucket(name: str, chosen: Bools, total: int, funding: Floats, basis: Floats) -> Bucket:
    count = int(chosen.sum())
    if not count:
        return Bucket(name, 0, 0.0, *(4 * (float("nan"),)))
    earned, moved = funding[chosen], basis[chosen]
    return Bucket(
        name,
        count,
        count / total,
        float(earned.mean()),
        float(moved.mean()),
        float((earned + moved).min()),
        float((earned <= 0.0).mean()),
    )


def regime_accounts(cycles: pd.DataFrame, side_bps: float) -> list[RegimeAccount]:
    """Return always-on, the three exposures at every change, and full exposure outside NESS.

    `side_bps`: cost of entering (or leaving) with both legs. All run over the cycles with a known regime;
    a cycle whose return is not known (a missing basis) earns its funding and no basis.
    """
    funding, basis = cycle_returns(cycles)
    regime = cycles["regime"].to_numpy(dtype=np.str_)
    kept = (regime != "") & ~np.isnan(funding)
    returns = funding[kept] + np.nan_to_num(basis[kept])
    sized = exposure_of(regime[kept])
    outside = np.where(regime[kept] == Regime.NESS, 0.0, 1.0)
    ways = (
        ("always on", np.ones(len(returns))),
        ("1.0 / 0.6 / 0.25 by regime", sized),
        ("only outside NESS", outside),
    )
    return [_account(name, exposure, returns, side_bps) for name, exposure in ways]


def _account(name: str, exposure: Floats, returns: Floats, side_bps: float) -> RegimeAccount:
    if not len(returns):
        return RegimeAccount(name, *(5 * (float("nan"),)))
    costs = np.abs(np.diff(exposure, prepend=0.0)) * side_bps
    costs[-1] += exposure[-1] * side_bps
    net = exposure * returns - costs
    curve = np.cumsum(net)
    peak = np.maximum.accumulate(np.maximum(curve, 0.0))
    years, spread = len(net) / CYCLES_A_YEAR, float(net.std())
    return RegimeAccount(
        name,
        float(curve[-1]) / 100.0 / years,
        float(costs.sum()) / 100.0 / years,
        float((peak - curve).max()) / 100.0,
        float(exposure.mean()),
        float(net.mean()) / spread * CYCLES_A_YEAR**0.5 if spread > 0.0 else 0.0,
    )

"""The sample market's model: seeded paths of spot price, premium and perp price on a 5-minute grid.

    spot       log price: GBM whose volatility is log-OU (a slow and a fast part), a common factor across
               coins, a drift in dislocations; the path's mean variance is set to the coin's target, so that
               every seed has the calibrated volatility, and its end is drawn near the coin's trend (a bridge)
    regimes    market-wide, shared by the coins: calm, then an episode (rich: perp above spot; cheap: below)
    premium    OU towards the regime's level with the regime's volatility, plus a slow wandering level;
               it feeds funding and the mark price
    last price spot * (1 + premium + micro noise + wicks): thin-book wicks of up to 2.2 % for some minutes are
               seen in the traded basis only, as impact prices look through them

Deterministic: the same (seed, start, end) gives the same paths, and a coin's path does not depend on which
other coins are asked for. Times of constants are in hours, premiums in bps of the spot price.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]

STEP_MINUTES = 5
STEPS_PER_HOUR = 60 // STEP_MINUTES
STEPS_PER_YEAR = 365 * 24 * STEPS_PER_HOUR
BURN_IN_STEPS = 14 * 24 * STEPS_PER_HOUR
BPS = 1e-4

# The log-volatility's parts: relaxation time (h), standard deviation. The autocorrelation of recorded
# |1h return| is 0.27 at 1 h, 0.15 at 24 h and 0.12 at 168 h.
_VOL_SLOW = (24.0 * 12, 0.35)
_VOL_FAST = (9.0, 0.30)
_VOL_IN_EPISODE = 1.35
_END_SPREAD = 0.15  # of the log price after two years, around the coin's trend

# Regimes: mean duration (h), and how the level of an episode is drawn (bps).
_CALM_HOURS = 24.0 * 5.5
_RICH_HOURS = 24.0 * 4.5
_CHEAP_HOURS = 16.0
_RICH_SHARE = 0.70
_RICH_LEVEL_BPS = (5.0, 4.5)  # least, mean of the exponential on top
_CHEAP_LEVEL_BPS = (2.0, 4.0)
_SQUEEZE_SHARE = 0.15  # of the episodes: a short one at a multiple of the level
_SQUEEZE_SIZE = 2.3
_SQUEEZE_HOURS = 18.0
_EPISODE_DRIFT_PER_HOUR = (0.0010, -0.0030)  # log price, rich and cheap

_PREMIUM_SD_BPS = (1.3, 3.0)  # calm, in an episode
_LEVEL_SLOW = (24.0 * 10, 0.5)
_WICK_TAU_HOURS = 0.3
_WICK_LEAST_BPS = 20.0
_WICK_TAIL = 1.5  # Pareto exponent
_WICK_MOST_BPS = 220.0
_WICK_DOWN_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class CoinModel:
    """What the model takes from one coin's recorded market (Binance 2020-2024) and its tick sizes of 2023."""

    start_px: float
    trend: float  # expected log return over two years
    vol: float  # annualized standard deviation of hourly log returns
    common_share: float  # correlation with the common factor
    level_bps: float  # premium in calm times
    premium_tau_hours: float
    episode_scale: float  # of the market-wide episode levels
    micro_bps: float  # standard deviation of the last price's noise
    wicks_per_year: float
    cap_rate: float  # funding cap per 8 h
    spot_tick: float
    perp_tick: float
    spot_hourly_qty: float  # median volume of an hour, base units
    perp_hourly_qty: float


COIN_MODELS = {
    "BTC": CoinModel(16_500, 0.80, 0.66, 0.955, -3.7, 4.5, 1.0, 1.22, 17, 0.0030, 0.01, 0.1, 1_200, 9_000),
    "ETH": CoinModel(1_200, 0.65, 0.83, 0.955, -3.8, 4.0, 1.1, 1.05, 18, 0.00375, 0.01, 0.01, 11_000, 84_000),
    "SOL": CoinModel(10, 1.45, 0.94, 0.80, -3.8, 9.0, 1.2, 0.95, 9, 0.0200, 0.01, 0.001, 140_000, 790_000),
}


@dataclass(frozen=True, slots=True)
class Regimes:
    """The market-wide regime per step, shape (steps,): level 0 in calm, else the episode's level in bps."""

    level_bps: Floats
    drift: Floats  # log return per step

    @property
    def dislocated(self) -> NDArray[np.bool_]:
        """Return where the market is in an episode."""
        return np.asarray(self.level_bps != 0.0, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class CoinPath:
    """One coin on the 5-minute grid, shape (steps,): values at the end of each step, burn-in included.

    `vol` is the standard deviation of the spot log return in the step; `premium_bps` the premium index.
    """

    spot_px: Floats
    perp_px: Floats
    premium_bps: Floats
    vol: Floats


def ornstein_uhlenbeck(shocks: Floats, tau_hours: float, sd: float) -> Floats:
    """Return a stationary OU path with mean 0; `shocks` are standard normal, one per step."""
    keep = float(np.exp(-1.0 / (tau_hours * STEPS_PER_HOUR)))
    driven = shocks * sd * np.sqrt(1.0 - keep**2)
    driven[0] = shocks[0] * sd
    return np.asarray(lfilter([1.0], [1.0, -keep], driven), dtype=np.float64)


def draw_regimes(rng: np.random.Generator, steps: int) -> Regimes:
    """Draw calm times and episodes in turn until `steps` are covered; the first is calm."""
    level, drift = np.zeros(steps), np.zeros(steps)
    at = 0.0
    while True:
        at += rng.exponential(_CALM_HOURS) * STEPS_PER_HOUR
        rich = rng.random() < _RICH_SHARE
        squeeze = rng.random() < _SQUEEZE_SHARE
        least, mean = _RICH_LEVEL_BPS if rich else _CHEAP_LEVEL_BPS
        size = (least + rng.exponential(mean)) * (_SQUEEZE_SIZE if squeeze else 1.0)
        typical = _SQUEEZE_HOURS if squeeze else (_RICH_HOURS if rich else _CHEAP_HOURS)
        hours = rng.exponential(typical) + 2.0
        until = at + hours * STEPS_PER_HOUR
        if at >= steps:
            return Regimes(level, drift)
        episode = slice(int(at), int(until) + 1)
        level[episode] = size if rich else -size
        drift[episode] = _EPISODE_DRIFT_PER_HOUR[0 if rich else 1] / STEPS_PER_HOUR
        at = until


def simulate_coin(
    model: CoinModel, rng: np.random.Generator, market_seed: np.random.SeedSequence, steps: int
) -> CoinPath:
    """Simulate one coin over `steps` after the burn-in; `market_seed` is shared by all coins of a market."""
    market = np.random.default_rng(market_seed)
    total = BURN_IN_STEPS + steps
    regimes = draw_regimes(market, total)
    log_vol = ornstein_uhlenbeck(market.standard_normal(total), *_VOL_SLOW)
    common = market.standard_normal(total)
    log_vol += ornstein_uhlenbeck(rng.standard_normal(total), *_VOL_FAST)
    shape = np.exp(log_vol) * np.where(regimes.dislocated, _VOL_IN_EPISODE, 1.0)
    mean_square = float(np.mean(shape[BURN_IN_STEPS:] ** 2))
    vol = shape * model.vol / np.sqrt(mean_square * STEPS_PER_YEAR)
    own = rng.standard_normal(total)
    shocks = model.common_share * common + np.sqrt(1.0 - model.common_share**2) * own
    returns = _bridge(vol * shocks + regimes.drift, model.trend, rng.standard_normal())
    spot_px = model.start_px * np.exp(np.cumsum(returns) - np.sum(returns[:BURN_IN_STEPS]))
    premium_bps = _premium(model, rng, regimes)
    noise_bps = model.micro_bps * rng.standard_normal(total) + _wicks(model, rng, total)
    perp_px = spot_px * (1.0 + (premium_bps + noise_bps) * BPS)
    return CoinPath(spot_px=spot_px, perp_px=perp_px, premium_bps=premium_bps, vol=vol)


def _bridge(returns: Floats, trend: float, end_shock: float) -> Floats:
    """Shift log returns so that those after the burn-in sum to the trend plus a small draw."""
    steps = len(returns) - BURN_IN_STEPS
    years = steps / STEPS_PER_YEAR
    target = trend * years / 2.0 + _END_SPREAD * np.sqrt(years / 2.0) * end_shock
    shift = (target - float(np.sum(returns[BURN_IN_STEPS:]))) / steps
    return np.asarray(returns + shift, dtype=np.float64)


def _premium(model: CoinModel, rng: np.random.Generator, regimes: Regimes) -> Floats:
    """Return the premium index in bps: OU towards the regime's level with the regime's volatility."""
    total = len(regimes.level_bps)
    keep = float(np.exp(-1.0 / (model.premium_tau_hours * STEPS_PER_HOUR)))
    sd = np.where(regimes.dislocated, _PREMIUM_SD_BPS[1], _PREMIUM_SD_BPS[0])
    target = model.level_bps + model.episode_scale * regimes.level_bps
    driven = (1.0 - keep) * target + np.sqrt(1.0 - keep**2) * sd * rng.standard_normal(total)
    driven[0] = target[0]
    reverting = np.asarray(lfilter([1.0], [1.0, -keep], driven), dtype=np.float64)
    slow = ornstein_uhlenbeck(rng.standard_normal(total), *_LEVEL_SLOW)
    return np.asarray(reverting + slow, dtype=np.float64)


def _wicks(model: CoinModel, rng: np.random.Generator, total: int) -> Floats:
    """Return thin-book excursions of the last price in bps: Poisson times, Pareto sizes, gone in minutes."""
    count = int(rng.poisson(model.wicks_per_year * total / STEPS_PER_YEAR))
    jumps = np.zeros(total)
    sizes = np.minimum(_WICK_LEAST_BPS * rng.random(count) ** (-1.0 / _WICK_TAIL), _WICK_MOST_BPS)
    signs = np.where(rng.random(count) < _WICK_DOWN_SHARE, -1.0, 1.0)
    np.add.at(jumps, rng.integers(0, total, size=count), signs * sizes)
    keep = float(np.exp(-1.0 / (_WICK_TAU_HOURS * STEPS_PER_HOUR)))
    return np.asarray(lfilter([1.0], [1.0, -keep], jumps), dtype=np.float64)

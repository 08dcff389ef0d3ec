"""Regimes on the candle grid: what each candle's close knows of the causal cycles, for the rules.

Like `carry.features`, row t is decided at its close with settlements stamped before that close. Values are
of bounded windows, so equal data give equal rows however much history precedes them.
"""

import numpy as np
import pandas as pd

from carry.errors import UsageError
from carry.features import HOUR_NS, ascending_ns, settlements, traded_close
from carry.market import timeframe_delta
from carry.moments import Floats, Ints
from carry.regime import exposure_of
from carry.regime_causal import BASIS_AGE_H, ENTROPY_H, HISTORY_H, causal_cycles

MEDIAN_H = 720
OPEN_INTEREST_H = 24
REGIME_HISTORY_H = HISTORY_H + BASIS_AGE_H + 1
CYCLE_VALUES = (
    "relaxation_ratio",
    "temperature_zscore",
    "entropy_rate",
    "entropy_p40",
    "je_health",
    "je_p90",
)
REGIME_COLUMNS = (
    *CYCLE_VALUES,
    "regime_exposure",
    "funding_mean_720h_daily_bps",
    "funding_flip_share",
    "spread_median_720h_bps",
    "open_interest_change_24h",
)


def regime_columns(
    perp: pd.DataFrame,
    spot: pd.DataFrame,
    funding: pd.DataFrame,
    timeframe: str,
    opened: "pd.Series[pd.Timestamp]",
    open_interest: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what the rules of `carry.regime_rules` read, one row per candle that opened at `opened` (n,).

    The market's frames as `carry.market` reads them, from `REGIME_HISTORY_H` hours before the first row on
    (more changes nothing; less gives NaN). Result: RangeIndex, float64, columns `REGIME_COLUMNS`:

    the six of `CYCLE_VALUES`    of `causal_cycles` at the last settlement before the row's close
    regime_exposure              1.0, 0.6 or 0.25; NaN where the regime is unknown
    funding_mean_720h_daily_bps  mean funding of the settlements in the last 720 h, in bps a day
    funding_flip_share           share of them that were <= 0; both NaN under 90 % of 90 settlements
    spread_median_720h_bps       median of (perp/spot - 1) of the candles of the last 720 h, to the row itself
    open_interest_change_24h     change as a fraction; NaN where `open_interest` is not given or has a hole
    """
    step = int(timeframe_delta(timeframe) / pd.Timedelta(1, unit="ns"))
    rows = ascending_ns(opened, "candles")
    cycles = causal_cycles(perp, spot, funding, timeframe)
    cycles["regime_exposure"] = exposure_of(cycles["regime"].to_numpy(dtype=np.str_))
    cycles = cycles.join(_funding_figures(funding))
    stamp = ascending_ns(cycles["start_time"], "settlements")
    last = np.searchsorted(stamp, rows + step, side="left") - 1
    columns: dict[str, Floats] = {
        name: _picked(cycles[name].to_numpy(dtype=np.float64), last)
        for name in REGIME_COLUMNS
        if name in cycles
    }
    columns["spread_median_720h_bps"] = _median_spread(perp, spot, rows)
    columns["open_interest_change_24h"] = _open_interest_change(open_interest, rows)
    return pd.DataFrame({name: columns[name] for name in REGIME_COLUMNS})


def _picked(values: Floats, at: Ints) -> Floats:
    """Return values[at], NaN where `at` is negative."""
    return np.append(values, np.nan)[np.where(at < 0, len(values), at)]


def _funding_figures(funding: pd.DataFrame) -> pd.DataFrame:
    """Return the mean daily funding and the share of rates <= 0 of the 720 h up to each settlement."""
    known = settlements(funding)
    daily = known.rate_bps * 24.0 / (known.judged_ns / HOUR_NS)
    start = np.searchsorted(known.stamp, known.stamp - ENTROPY_H * HOUR_NS, side="right")
    count = np.arange(len(daily)) + 1 - start
    # a window starts later at every settlement, so each slice is summed by itself
    bounds = np.column_stack((start, np.arange(len(daily)) + 1)).ravel()
    figures = {}
    for name, values in (
        ("funding_mean_720h_daily_bps", daily),
        ("funding_flip_share", (known.rate_bps <= 0.0).astype(np.float64)),
    ):
        sums = np.add.reduceat(np.append(values, 0.0), bounds)[::2] if len(values) else values
        figures[name] = np.where(count >= 0.9 * ENTROPY_H / 8.0, sums / count, np.nan)
    return pd.DataFrame(figures)


def _median_spread(perp: pd.DataFrame, spot: pd.DataFrame, rows: Ints) -> Floats:
    """Return the rolling median of the spread at each candle opened at `rows` (ns); NaN under 90 % of it."""
    both = pd.DataFrame({"date": perp["date"], "perp": traded_close(perp)}).merge(
        pd.DataFrame({"date": spot["date"], "spot": traded_close(spot)}), on="date", how="left"
    )
    spread = pd.Series(((both["perp"] / both["spot"] - 1.0) * 1e4).to_numpy(), index=both["date"])
    opened = ascending_ns(both["date"], "perp candles")
    if len(opened) < 2:
        return np.full(len(rows), np.nan)
    enough = int(0.9 * MEDIAN_H * HOUR_NS / np.diff(opened).min())
    median = spread.rolling(pd.Timedelta(hours=MEDIAN_H), min_periods=enough).median()
    return _at(opened, median.to_numpy(dtype=np.float64), rows)


def _open_interest_change(open_interest: pd.DataFrame | None, opened: Ints) -> Floats:
    """Return the change over 24 h to the full hour at or before each open (ns): published by its close.

    `open_interest`: date, open_interest_amount (base units at that time). Raises UsageError without them.
    """
    if open_interest is None or open_interest.empty:
        return np.full(len(opened), np.nan)
    if "open_interest_amount" not in open_interest:
        raise UsageError("open interest lacks column open_interest_amount: download it with freqtrade")
    known = ascending_ns(open_interest["date"], "open interest")
    amount = open_interest["open_interest_amount"].to_numpy(dtype=np.float64)
    hour = opened // HOUR_NS * HOUR_NS
    now, before = (_at(known, amount, hour - hours * HOUR_NS) for hours in (0, OPEN_INTEREST_H))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before > 0.0, now / before - 1.0, np.nan)


def _at(known: Ints, values: Floats, wanted: Ints) -> Floats:
    """Return the values whose stamps are exactly `wanted`, NaN where there is none."""
    place = np.searchsorted(known, wanted)
    found = np.minimum(place, max(len(known) - 1, 0))
    return np.where(known[found] == wanted, values[found], np.nan)

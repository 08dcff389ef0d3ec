"""Rules of the regime-sized carry, pure: the same in backtest, hyperopt, sweep, dry-run and live.

Source: REFERENCES section 2 (the digest's first version) and 6 (hysteresis). As published the pair is left
on any signal and held for one or two cycles, which cannot earn the 34 bps of a round trip; so every signal
here is weighed against what the pair still earns: `pays_back`. With `payback_days` 0 that is switched off.

Vector rules take columns of `carry.features` and `carry.regime_features`, one row per candle.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from carry.moments import Floats
from carry.regime import COLD_ZSCORE, EXPOSURE, Regime

NESS_EXPOSURE = EXPOSURE[Regime.NESS]


@dataclass(frozen=True, slots=True)
class RegimeParameters:
    """What a regime-sized carry may be told. Hours and days; bps of one leg's notional.

    entry_exposure      lowest regime that opens: 1.0 EQUILIBRIUM, 0.6 WARM, 0.25 any
    relaxation_ratio    the basis must relax faster than this many 8 h cycles to open
    positive_basis      whether the perp must be above spot to open
    payback_days        of the funding expected that must pay for a round trip, or a signal to leave counts
    flip_share          share of the last 720 h's settlements <= 0 above which nothing is opened
    leave_on_median     whether a spread at or below its rolling median is a signal to leave
    leave_on_ness       whether NESS is a signal to leave (else it only shrinks the pair)
    flip_tolerance_h    funding <= 0 for longer than this is a signal to leave
    confirm_h           how long a regime must have lasted before the pair is resized
    resize_band         change of exposure that is not worth an order, >= 0
    round_trip_bps      cost of entering and leaving with both legs
    """

    entry_exposure: float = 0.6
    relaxation_ratio: float = 1.4
    positive_basis: bool = False
    payback_days: float = 60.0
    flip_share: float = 0.4
    leave_on_median: bool = True
    leave_on_ness: bool = True
    flip_tolerance_h: float = 24.0
    confirm_h: float = 72.0
    resize_band: float = 0.2
    round_trip_bps: float = 34.0


@dataclass(frozen=True, slots=True)
class Exposures:
    """Shares of the full stake per row, float64 (n,): see `exposure_rule` and `resized_exposure`."""

    opening: Floats  # what an entry decided at this row gets
    grow_to: Floats  # an open pair that holds less is grown to this
    shrink_to: Floats  # an open pair that holds more is shrunk to this; NaN and inf: it is not


@dataclass(frozen=True, slots=True)
class VetoLimits:
    """When the execution of an entry is vetoed. Percentiles as shares; changes as fractions of 24 h."""

    spread_percentile: float = 0.9
    depth_percentile: float = 0.1
    open_interest_fall: float = 0.3
    open_interest_rise: float = 0.5


def pays_back(frame: pd.DataFrame, parameters: RegimeParameters) -> "pd.Series[bool]":
    """Return rows where the funding expected over `payback_days` covers a round trip.

    Expected is the mean of the last 720 h: slow memory and few switches win (REFERENCES 6). Unknown is
    False; with `payback_days` 0 nothing ever pays back.
    """
    expected = frame["funding_mean_720h_daily_bps"] * parameters.payback_days
    return expected >= parameters.round_trip_bps if parameters.payback_days > 0 else frame["close"] < 0.0


def digest_signal(frame: pd.DataFrame, parameters: RegimeParameters) -> "pd.Series[bool]":
    """Return rows that meet the digest's entry conditions, loosened down to `entry_exposure`.

    EQUILIBRIUM asks for F > 0, ratio below the limit (1.05 as published), z > -0.5, entropy above its p40
    and je_health not in the worst 10 %; WARM and NESS ask for F > 0, the ratio and a regime at least that.
    """
    signal = (frame["funding_bps"] > 0.0) & (frame["relaxation_ratio"] < parameters.relaxation_ratio)
    if parameters.positive_basis:
        signal &= frame["spread_bps"] > 0.0
    if parameters.entry_exposure < EXPOSURE[Regime.EQUILIBRIUM]:
        return signal & (frame["regime_exposure"] >= parameters.entry_exposure)
    return (
        signal
        & (frame["temperature_zscore"] > COLD_ZSCORE)
        & (frame["entropy_rate"] > frame["entropy_p40"])
        & (frame["je_health"] <= frame["je_p90"])
    )


def vetoed(frame: pd.DataFrame, parameters: RegimeParameters, limits: VetoLimits) -> "pd.Series[bool]":
    """Return rows at which nothing may be opened, whatever the signal.

    Sign-flip risk is always known. Open interest is where it was recorded; where it was not, it is neutral.
    Spread and depth of the book are never recorded: a trading bot judges them by `carry.execution_gauge`.
    """
    change = frame["open_interest_change_24h"]
    moved = (change < -limits.open_interest_fall) | (change > limits.open_interest_rise)
    return moved | ~(frame["funding_flip_share"] <= parameters.flip_share)


def regime_entry(
    frame: pd.DataFrame, parameters: RegimeParameters, limits: VetoLimits | None = None
) -> "pd.Series[bool]":
    """Return rows at whose next open the pair is opened: the signal, paid back and not vetoed."""
    signal = digest_signal(frame, parameters) & ~vetoed(frame, parameters, limits or VetoLimits())
    return signal & pays_back(frame, parameters) if parameters.payback_days > 0 else signal


def regime_hold(frame: pd.DataFrame, parameters: RegimeParameters) -> "pd.Series[bool]":
    """Return rows where an open pair is kept: no signal to leave, or it pays back anyway.

    Unknown values are no signal: missing data never closes a hedged position.
    """
    leave = frame["negative_funding_h"] > parameters.flip_tolerance_h
    if parameters.leave_on_median:
        leave |= frame["spread_bps"] <= frame["spread_median_720h_bps"]
    if parameters.leave_on_ness:
        leave |= frame["regime_exposure"] <= NESS_EXPOSURE
    return ~(leave & ~pays_back(frame, parameters))


def exposure_rule(frame: pd.DataFrame, hold: "pd.Series[bool]", parameters: RegimeParameters) -> Exposures:
    """Return what a pair opened at each row gets, and what an open one is resized to.

    A change must have lasted: growing goes to the lowest exposure of the last `confirm_h`, shrinking to the
    highest. And it must be worth its cost: a pair grows only where the funding expected pays a round trip
    back and shrinks only where it does not; with `payback_days` 0 both, as published. A row that closes the
    pair resizes nothing.
    """
    exposure = frame["regime_exposure"]
    lasted = pd.Series(exposure.to_numpy(), index=pd.DatetimeIndex(frame["date"]))
    window = lasted.rolling(pd.Timedelta(hours=parameters.confirm_h), closed="both")
    low, high = (window.min(), window.max()) if parameters.confirm_h > 0 else (lasted, lasted)
    kept = hold.to_numpy(dtype=np.bool_) & ~np.isnan(exposure.to_numpy())
    pays = pays_back(frame, parameters).to_numpy(dtype=np.bool_)
    grows = kept & (pays | (parameters.payback_days <= 0))
    return Exposures(
        opening=exposure.fillna(NESS_EXPOSURE).to_numpy(dtype=np.float64),
        grow_to=np.where(grows, low.to_numpy(), 0.0),
        shrink_to=np.where(kept & ~pays, high.to_numpy(), np.inf),
    )


def resized_exposure(held: float, grow_to: float, shrink_to: float, band: float) -> float | None:
    """Return the exposure to resize an open pair to, None to leave it as it is.

    `held`: its short quantity over that of the full stake. A difference within `band` is not worth an order.
    """
    if grow_to > held + band:
        return grow_to
    if shrink_to < held - band:
        return shrink_to
    return None

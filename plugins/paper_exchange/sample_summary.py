"""Figures that say whether a data folder looks like a real funding market: the sample market's calibration.

Works on any folder in freqtrade's layout, so the same code measures recorded and sample markets.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paper_exchange.errors import DataError

_HOURS_PER_YEAR = 24 * 365
_BPS = 1e-4


@dataclass(frozen=True, slots=True)
class CoinSummary:
    """One coin, from hourly closes (basis = perp / spot - 1) and settlements."""

    hours: int
    spot_vol: float  # annualized standard deviation of hourly log returns, e.g. 0.66
    end_over_start: float  # last spot close / first spot open
    basis_mean_bps: float
    basis_sd_bps: float
    basis_within_10_bps: float  # share of hours
    basis_min_bps: float
    basis_max_bps: float
    basis_tau_hours: float  # relaxation time -1/ln(rho), rho = AR(1) of the demeaned basis, no intercept
    funding_mean_bps: float  # per settlement
    funding_positive_share: float
    funding_min_bps: float
    funding_max_bps: float
    basis_funding_correlation: float  # mean basis of the 8 h before a settlement with its rate


def describe(datadir: Path, coins: tuple[str, ...] = ("BTC", "ETH", "SOL")) -> dict[str, CoinSummary]:
    """Summarize each coin's stored 1h market (USDT quote); DataError names the first file that is missing."""
    return {coin: _summarize(datadir, coin) for coin in coins}


def relaxation_hours(values: "pd.Series[float]") -> float:
    """Return -1/ln(rho) of the demeaned series' AR(1) without intercept; NaN when rho is not in (0, 1)."""
    centred = values.to_numpy() - values.mean()
    rho = float(centred[1:] @ centred[:-1] / (centred[:-1] @ centred[:-1]))
    return float(-1.0 / np.log(rho)) if 0.0 < rho < 1.0 else float("nan")


def _summarize(datadir: Path, coin: str) -> CoinSummary:
    spot = _read(datadir / f"{coin}_USDT-1h.feather")
    perp = _read(datadir / "futures" / f"{coin}_USDT_USDT-1h-futures.feather")
    funding = _read(datadir / "futures" / f"{coin}_USDT_USDT-1h-funding_rate.feather")["funding_rate"]
    basis = (perp["close"] / spot["close"] - 1.0).dropna()
    rates = funding.set_axis(pd.DatetimeIndex(funding.index).round("h"))
    before = basis.rolling("8h").mean()
    before.index = pd.DatetimeIndex(before.index) + pd.Timedelta(1, unit="h")  # known at the hour's end
    returns = np.log(spot["close"]).diff().dropna()
    return CoinSummary(
        hours=len(basis),
        spot_vol=float(returns.std() * np.sqrt(_HOURS_PER_YEAR)),
        end_over_start=float(spot["close"].iloc[-1] / spot["open"].iloc[0]),
        basis_mean_bps=float(basis.mean() / _BPS),
        basis_sd_bps=float(basis.std() / _BPS),
        basis_within_10_bps=float((basis.abs() < 10 * _BPS).mean()),
        basis_min_bps=float(basis.min() / _BPS),
        basis_max_bps=float(basis.max() / _BPS),
        basis_tau_hours=relaxation_hours(basis),
        funding_mean_bps=float(funding.mean() / _BPS),
        funding_positive_share=float((funding > 0).mean()),
        funding_min_bps=float(funding.min() / _BPS),
        funding_max_bps=float(funding.max() / _BPS),
        basis_funding_correlation=float(before.reindex(rates.index).corr(rates)),
    )


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} is missing: the summary needs the coin's 1h spot, perp and funding files")
    return pd.read_feather(path).set_index("date")

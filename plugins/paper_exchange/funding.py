"""Binance's funding rate from the premium index, for perpetuals with 8-hour settlements.

    average premium = sum(i * premium_i) / sum(i), i = 1..n: the last sample weighs most
    rate = average premium + clamp(interest - average premium, -0.05 %, +0.05 %), within +-cap

Source: Binance, "Introduction to Binance Futures Funding Rates" (interest 0.01 % per 8 h). Binance samples
the premium index every 5 seconds; here n is whatever the caller sampled in the window.
"""

import numpy as np
from numpy.typing import NDArray

INTEREST_RATE = 0.0001
DAMPING_RATE = 0.0005
SETTLEMENT_HOURS = 8
_RATE_DECIMALS = 8


def average_premiums(premiums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the time-weighted average premium of each window.

    `premiums`: shape (windows, n), fractions, oldest sample first. Result: shape (windows,), fraction.
    """
    weights = np.arange(1, premiums.shape[1] + 1, dtype=np.float64)
    return np.asarray(premiums @ weights / weights.sum(), dtype=np.float64)


def funding_rates(premiums: NDArray[np.float64], cap_rate: float) -> NDArray[np.float64]:
    """Return the funding rate of each settlement window, positive = longs pay shorts.

    `premiums`: shape (windows, n), the fractions sampled in the window before the settlement, oldest first;
    `cap_rate` > 0: the coin's cap, a fraction per 8 h. Result: shape (windows,), fraction per 8 h within
    [-cap_rate, cap_rate], rounded to the 8 decimals that Binance publishes.
    """
    average = average_premiums(premiums)
    rates = average + np.clip(INTEREST_RATE - average, -DAMPING_RATE, DAMPING_RATE)
    return np.asarray(np.round(np.clip(rates, -cap_rate, cap_rate), _RATE_DECIMALS), dtype=np.float64)

"""freqtrade's decimal sums over a trade's orders, digit by digit, for the few fills that resize a pair.

freqtrade cuts a reduction to whole lots; which lot is decided by the last digit of its own decimal arithmetic
(ccxt's `Precise`: exact sums and products, quotients cut to 18 digits), so that has to be the same here.
Source: freqtrade 2026.9, persistence/trade_model.py `recalc_trade_from_orders`.
"""

from fractions import Fraction

import numpy as np

from carry.sweep.layout import Floats

_DIGITS = 10**18


def _exact(number: float) -> Fraction:
    return Fraction(str(float(number)))


def _cut(quotient: Fraction) -> Fraction:
    """Return the quotient (>= 0) without what lies beyond 18 digits."""
    return Fraction(quotient.numerator * _DIGITS // quotient.denominator, _DIGITS)


def recalculated(fills: Floats) -> Floats:
    """Return (open value, average price) after fills (n, 2): base units, exits negative; price.

    The open value is freqtrade's stake times leverage; both 0 for a flat trade.
    """
    amount, value, average = Fraction(0), Fraction(0), Fraction(0)
    for qty, px in fills:
        size = _exact(abs(qty))
        if qty > 0:
            amount, value = amount + size, value + size * _exact(px)
            average = _cut(value / amount)
        else:
            amount, value = amount - size, value - size * average
    if not amount:
        return np.zeros(2)
    return np.array([float(value), float(_cut(value / amount))])


def reduction(margin: float, amount: float, stake: float) -> float:
    """Return the base units that freqtrade sells for giving `margin` of a trade's `stake` back, uncut."""
    return float(_cut(_exact(margin) * _exact(amount) / _exact(stake)))

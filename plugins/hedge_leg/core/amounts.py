"""Exact amounts: Decimal quantities and money, lots, and bps as a type of their own."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
_TEN_THOUSAND = Decimal(10_000)
SMALLEST_LOT = Decimal("0.00000001")
_MONEY_STEP = Decimal("1e-12")


def exact(number: float | int | str | Decimal) -> Decimal:
    """Return the Decimal that the shortest decimal text of `number` stands for.

    0.1 becomes Decimal("0.1"), not the binary neighbour. Raises ValueError for NaN and infinity.
    """
    value = number if isinstance(number, Decimal) else Decimal(str(number))
    if not value.is_finite():
        raise ValueError(f"{number} is not an amount")
    return value


@dataclass(frozen=True, slots=True)
class Bps:
    """A rate in hundredths of a percent."""

    value: Decimal

    def of(self, amount: Decimal) -> Decimal:
        """Return this many bps of `amount`."""
        return amount * self.value / _TEN_THOUSAND


def lots_down(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the largest multiple of `lot` that does not exceed `quantity` (both base units, >= 0)."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR) * lot


def nearest_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the multiple of `lot` that is nearest to `quantity` (both base units, >= 0)."""
    return (quantity / lot).to_integral_value(ROUND_HALF_EVEN) * lot


def money(amount: Decimal) -> Decimal:
    """Return a quote amount rounded to 1e-12, so that sums of amounts stay exact."""
    return amount.quantize(_MONEY_STEP)

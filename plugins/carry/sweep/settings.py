"""What a run is made with, apart from market and strategy: capital, costs, lots, the exchange's limits.

Plain picklable records: a worker on another machine needs nothing else. `carry.sweep.freqtrade_setup` reads
them from freqtrade's configuration and the exchange's market metadata.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from carry.costs import BPS, CostModel
from carry.errors import UsageError

UNLIMITED = "unlimited"
SMALLEST_LOT = 1e-8


@dataclass(frozen=True, slots=True)
class Tier:
    """One leverage bracket: up to `max_notional` (quote), maintenance = rate x notional - amount."""

    min_notional: float
    max_notional: float
    max_leverage: float
    maintenance_rate: float
    maintenance_amount: float


_OPEN_TIER = (Tier(0.0, math.inf, 125.0, 0.004, 0.0),)


@dataclass(frozen=True, slots=True)
class PairLimits:
    """The exchange's rules for one perp, and the lot of its spot market. Base units; quote; 0 = no limit."""

    amount_step: float = 0.001
    price_step: float = 0.01  # used in months whose candles show no decimals
    min_amount: float = 0.0
    max_amount: float = math.inf
    min_cost: float = 0.0
    max_cost: float = math.inf
    spot_lot: float = SMALLEST_LOT
    tiers: tuple[Tier, ...] = _OPEN_TIER


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """Capital and costs of a run, as freqtrade's configuration and its `hedge_leg` block state them.

    `stake_amount` in quote for both legs of one pair, or "unlimited": all capital / `max_open_trades`, which
    is math.inf for no limit. `fee` is freqtrade's perp fee, a fraction. Raises UsageError for values that
    freqtrade would not run with.
    """

    wallet: float = 100_000.0
    stake_amount: float | str = UNLIMITED
    max_open_trades: float = 3
    tradable_balance_ratio: float = 0.99
    amend_last_stake_amount: bool = False
    last_stake_amount_min_ratio: float = 0.5
    amount_reserve_percent: float = 0.05
    liquidation_buffer: float = 0.05
    fee: float = 0.0005
    leverage: float = 2.0
    cash_buffer: float = 0.005
    roll_distance: float = 0.25
    costs: CostModel = field(default_factory=CostModel)
    limits: Mapping[str, PairLimits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no run can be made with."""
        if self.stake_amount != UNLIMITED and not 0 < float(self.stake_amount) < math.inf:
            raise UsageError(f'stake_amount is {self.stake_amount!r}: give a number > 0 or "unlimited"')
        if not 0 < self.wallet < math.inf:
            raise UsageError(f"dry_run_wallet is {self.wallet!r}: give a number > 0")

    @property
    def reserve(self) -> float:
        """Return the share of the notional kept for the entry's costs and as a buffer."""
        return self.costs.side_bps * BPS + self.cash_buffer

    def limits_of(self, pair: str) -> PairLimits:
        """Return the exchange's rules for a pair; UsageError where they are not known."""
        try:
            return self.limits[pair]
        except KeyError:
            raise UsageError(f"{pair} has no market rules: it is not a pair of this exchange") from None


def ratio(step: float) -> tuple[float, float]:
    """Return the step's decimal text as a fraction (numerator, denominator), both whole numbers."""
    top, bottom = Decimal(str(step)).as_integer_ratio()
    return float(top), float(bottom)

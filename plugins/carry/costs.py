"""What a two-leg trade costs: fees, slippage, borrow and fixed costs.

One cost model is used by the backtest binding, the report, the price command and the sweep.
Sources: REFERENCES sections 1 and 3 (taker 5, maker 2, slippage 3, fixed 2; 17 bps per side for both
legs on Binance's lowest tier: perp taker 5 + spot taker 10 + 1 slippage on each leg).
"""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import ClassVar

from carry.errors import UsageError

BPS = 1e-4


class Liquidity(StrEnum):
    """Whether a leg's order rests in the book (maker) or takes from it (taker)."""

    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True)
class CostModel:
    """Costs of one pair, >= 0. Rates in bps of the leg's notional per fill; money in quote currency.

    Slippage worsens the fill price, so it lands in price P&L and is reported as attribution only.
    Raises UsageError for a negative or non-finite value.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # as a block of a configuration: no typos

    perp_taker_bps: float = field(
        default=5.0,
        metadata={"description": "fee of a taker fill of the perp; a backtest charges freqtrade's `fee`"},
    )
    perp_maker_bps: float = field(default=2.0, metadata={"description": "fee of a maker fill of the perp"})
    spot_taker_bps: float = field(default=10.0, metadata={"description": "fee of a taker fill of spot"})
    spot_maker_bps: float = field(default=10.0, metadata={"description": "fee of a maker fill of spot"})
    perp_slippage_bps: float = field(default=1.0, metadata={"description": "worsens every fill of the perp"})
    spot_slippage_bps: float = field(default=1.0, metadata={"description": "worsens every fill of spot"})
    perp_liquidity: Liquidity = field(
        default=Liquidity.TAKER, metadata={"description": "which of the two fees applies to the perp"}
    )
    spot_liquidity: Liquidity = field(
        default=Liquidity.TAKER, metadata={"description": "which of the two fees applies to spot"}
    )
    fixed_per_trade: float = field(
        default=0.0, metadata={"description": "once per trade, on the first fill", "unit": "quote"}
    )
    borrow_daily_bps: float = field(
        default=0.0, metadata={"description": "a day, of the spot leg's cost, when its cash is borrowed"}
    )

    def __post_init__(self) -> None:
        """Refuse values that cannot be a cost."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, float | int) and not 0.0 <= float(value) < 10_000.0:
                raise UsageError(f"costs.{one.name} is {value}: give a number >= 0 and < 10000")

    @property
    def perp_fee_rate(self) -> float:
        """Return the perp fee as a fraction of notional."""
        bps = self.perp_taker_bps if self.perp_liquidity is Liquidity.TAKER else self.perp_maker_bps
        return bps * BPS

    @property
    def spot_fee_rate(self) -> float:
        """Return the spot fee as a fraction of notional."""
        bps = self.spot_taker_bps if self.spot_liquidity is Liquidity.TAKER else self.spot_maker_bps
        return bps * BPS

    @property
    def side_bps(self) -> float:
        """Return the cost of entering (or leaving) with both legs, in bps of one leg's notional."""
        fees = (self.perp_fee_rate + self.spot_fee_rate) / BPS
        return fees + self.perp_slippage_bps + self.spot_slippage_bps

    @property
    def round_trip_bps(self) -> float:
        """Return the cost of entering and leaving with both legs, in bps, fixed costs left out."""
        return 2.0 * self.side_bps

    def break_even_days(self, daily_funding_bps: float, notional: float) -> float:
        """Return the days of funding that pay for one round trip; inf when funding does not.

        `daily_funding_bps` in bps per day (positive = received), `notional` of one leg in quote.
        """
        net_daily = daily_funding_bps - self.borrow_daily_bps
        if net_daily <= 0.0:
            return float("inf")
        fixed_bps = self.fixed_per_trade / notional / BPS if notional > 0 else 0.0
        return (self.round_trip_bps + fixed_bps) / net_daily

"""The "observer" block of hedge_leg: what is recorded, how often, and when it would be traded."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hedge_leg.core.amounts import exact
from hedge_leg.core.opportunity import ObserverRules
from hedge_leg.units import Fraction, Quote


class ObserverConfig(BaseModel):
    """What an observer records and when it would open and leave. Daily rates as fractions.

    `notional`: quote of one leg; empty: what freqtrade's stake would open.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interval_sec: float = Field(default=30, ge=5, le=3_600, description="between looks at a pair")
    snapshot_sec: float = Field(
        default=300, ge=5, le=86_400, description="between snapshots of the pretended pairs"
    )
    notional: Quote | None = Field(
        default=None, gt=0, description="of one leg; empty: what freqtrade's stake would open"
    )
    min_daily_rate: Fraction = Field(
        default=0.0002, ge=0, le=0.1, description="funding a day at which it would open"
    )
    min_positive_streak: int = Field(
        default=3, ge=0, le=100, description="positive settlements in a row at which it would open"
    )
    leave_daily_rate: Fraction = Field(
        default=0.0, ge=-0.1, le=0.1, description="funding a day below which it would leave"
    )
    flip_tolerance_h: float = Field(default=2, ge=0, le=720, description="for so long")
    holding_days: float = Field(
        default=30, gt=0, le=365, description="over which costs are spread; it must be paid back earlier"
    )
    regime: bool = Field(default=True, description="tell the causal regime, too")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.leave_daily_rate > self.min_daily_rate:
            raise ValueError("leave_daily_rate is above min_daily_rate: what is opened would be left at once")
        if self.snapshot_sec < self.interval_sec:
            raise ValueError("snapshot_sec is below interval_sec: there is nothing new to keep in between")
        return self

    def rules(self, max_slippage_bps: float) -> ObserverRules:
        """Return the rules in exact numbers."""
        return ObserverRules(
            min_daily_rate=exact(self.min_daily_rate),
            min_streak=self.min_positive_streak,
            leave_daily_rate=exact(self.leave_daily_rate),
            flip_tolerance_ms=round(self.flip_tolerance_h * 3_600_000),
            holding_days=exact(self.holding_days),
            max_slippage=exact(max_slippage_bps) / 10_000,
        )

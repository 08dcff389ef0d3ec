"""The "guard" block of hedge_leg: limits of the risk guard. Every field has a safe default; 0 is off."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hedge_leg.core.amounts import exact
from hedge_leg.core.guard.breakers import Action, Limit
from hedge_leg.core.guard.limits import GuardLimits
from hedge_leg.units import Fraction, Quote

Choice = Literal["alarm", "block", "shrink", "leave"]


class GuardConfig(BaseModel):
    """Limits of a trading bot (dry or live); 0 switches one off. Prose: docs/risk-guard.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="whether there is a guard")
    shrink_distance: Fraction = Field(
        default=0.15, ge=0, lt=1, description="liquidation price / price - 1 below which both legs are shrunk"
    )
    leave_distance: Fraction = Field(default=0.08, ge=0, lt=1, description="and below which the pair is left")
    shrink_to: Fraction = Field(default=0.5, gt=0, lt=1, description="what is left of a pair that is shrunk")
    price_jump: Fraction = Field(
        default=0.15, ge=0, le=1, description="move of perp or spot within the window"
    )
    price_jump_window_min: float = Field(default=60, ge=1, le=1_440, description="the window")
    price_jump_action: Choice = Field(default="block", description="what a jump does")
    basis_bps: float = Field(default=300, ge=0, le=5_000, description="perp and spot this far apart")
    basis_action: Choice = Field(default="block", description="what that does")
    slippage_bps: float = Field(
        default=50, ge=0, le=1_000, description="an own order this far from the best price"
    )
    slippage_action: Choice = Field(default="block", description="what that does")
    venue_failures: int = Field(default=10, ge=0, le=1_000, description="failed calls in a row")
    venue_failures_action: Choice = Field(default="block", description="what they do")
    account_stale_sec: float = Field(
        default=300, ge=0, le=86_400, description="an account, or anything a limit needs, unread for so long"
    )
    market_stale_candles: float = Field(
        default=2, ge=0, le=100, description="age of the last candle, in candles"
    )
    stale_action: Choice = Field(default="block", description="what stale data do")
    funding_flip_hours: float = Field(
        default=168,
        ge=0,
        le=8_760,
        description="of negative funding until a pair is left that costs nothing to leave",
    )
    rebalancing_share: Fraction = Field(
        default=0.3, ge=0, le=10, description="fees of rebalancing in 24 h, of the funding in that time"
    )
    rebalancing_action: Choice = Field(default="alarm", description="what that does")
    daily_loss: Fraction = Field(default=0.02, ge=0, le=1, description="loss of a UTC day, of both accounts")
    daily_loss_action: Choice = Field(default="block", description="what it does")
    max_carries: int = Field(default=20, ge=0, description="pairs at a time")
    max_carries_per_coin: int = Field(default=1, ge=0, description="pairs of one coin at a time")
    max_coin_notional: Quote = Field(default=0, ge=0, description="of one coin")
    max_venue_notional: Quote = Field(default=0, ge=0, description="of all pairs")
    transfer_drift: Fraction = Field(
        default=0.25, ge=0, le=1, description="drift of the two accounts at which a transfer is advised"
    )
    cool_down_min: float = Field(
        default=60, gt=0, le=10_080, description="for which a limit must hold before its breaker ends"
    )

    @model_validator(mode="after")
    def _fits(self) -> "GuardConfig":
        """Refuse limits that contradict each other."""
        if 0 < self.shrink_distance <= self.leave_distance:
            raise ValueError(
                f"leave_distance {self.leave_distance:g} is not below "
                f"shrink_distance {self.shrink_distance:g}: a pair would be left before it is ever shrunk"
            )
        if 0 < self.max_carries < self.max_carries_per_coin:
            raise ValueError(
                f"max_carries_per_coin {self.max_carries_per_coin} is above max_carries {self.max_carries}"
            )
        if 0 < self.max_venue_notional < self.max_coin_notional:
            raise ValueError(
                f"max_coin_notional {self.max_coin_notional:g} is above max_venue_notional "
                f"{self.max_venue_notional:g}"
            )
        return self

    def limits(self) -> GuardLimits:
        """Return the guard's numbers."""
        return GuardLimits(
            shrink_distance=self.shrink_distance,
            leave_distance=self.leave_distance,
            shrink_to=exact(self.shrink_to),
            price_jump=self.price_jump,
            price_jump_window_ms=round(self.price_jump_window_min * 60_000),
            basis=self.basis_bps / 10_000,
            slippage=exact(self.slippage_bps) / 10_000,
            venue_failures=self.venue_failures,
            account_stale_ms=round(self.account_stale_sec * 1000),
            market_stale_candles=self.market_stale_candles,
            funding_flip_h=self.funding_flip_hours,
            rebalancing_share=exact(self.rebalancing_share),
            daily_loss=exact(self.daily_loss),
            max_carries=self.max_carries,
            max_carries_per_coin=self.max_carries_per_coin,
            max_coin_notional=exact(self.max_coin_notional),
            max_venue_notional=exact(self.max_venue_notional),
            transfer_drift=self.transfer_drift,
            cool_down_ms=round(self.cool_down_min * 60_000),
            actions={
                Limit.PRICE_JUMP: Action(self.price_jump_action),
                Limit.BASIS: Action(self.basis_action),
                Limit.SLIPPAGE: Action(self.slippage_action),
                Limit.VENUE_FAILURES: Action(self.venue_failures_action),
                Limit.STALE_DATA: Action(self.stale_action),
                Limit.REBALANCING: Action(self.rebalancing_action),
                Limit.DAILY_LOSS: Action(self.daily_loss_action),
            },
        )

"""The validated "hedge_leg" block of freqtrade's configuration.

Every field has a safe default, so a missing block means: leverage 2, Binance's lowest fee tier, spot on
freqtrade's own exchange. The block is exported with freqtrade's results; it therefore never holds
credentials (`adapters.credentials` takes them out before it is read).
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carry.costs import CostModel
from carry.errors import UsageError
from hedge_leg.core.amounts import SMALLEST_LOT, Bps, exact
from hedge_leg.core.mirror import HedgeTerms
from hedge_leg.core.outcome import PairTerms
from hedge_leg.core.plan import Policy
from hedge_leg.errors import ConfigError
from hedge_leg.guard_config import GuardConfig
from hedge_leg.observer_config import ObserverConfig
from hedge_leg.units import Fraction, Quote

MAX_LEVERAGE = 3.0


class ExchangeConfig(BaseModel):
    """Where the spot leg trades. Empty: freqtrade's own exchange and addresses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", description="exchange of the spot leg; empty: freqtrade's own")
    ccxt_config: dict[str, Any] = Field(
        default_factory=dict, description="options for ccxt, as in freqtrade's `exchange.ccxt_config`"
    )
    timeout_ms: int = Field(default=5_000, ge=500, le=60_000, description="of one request of the spot leg")


class ExecutionConfig(BaseModel):
    """How the spot leg is traded. Times in seconds, slippages in bps of the best price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll_interval_sec: float = Field(default=0.5, ge=0.05, le=10, description="between two looks at an order")
    open_timeout_sec: float = Field(
        default=10, ge=1, le=120, description="until an opening that is not hedged is rolled back"
    )
    close_timeout_sec: float = Field(
        default=30, ge=5, le=600, description="until sold spot is bought back, if the perp has not left"
    )
    order_timeout_sec: float = Field(
        default=5, ge=1, le=60, description="until an order is canceled that has not ended"
    )
    not_found_grace_sec: float = Field(
        default=5, ge=1, le=120, description='before "not found" counts, and a difference is believed'
    )
    max_slippage_bps: float = Field(
        default=10, gt=0, le=200, description="bound of the first order of a gap, from the best price"
    )
    retry_slippage_bps: float = Field(default=30, gt=0, le=500, description="bound of the orders after it")
    attempts: int = Field(default=2, ge=1, le=10, description="orders of one gap before the plan changes")
    rebalance_threshold: Fraction = Field(
        default=0.002, gt=0, le=0.1, description="difference of the legs that is traded, of the short"
    )
    cool_down_sec: float = Field(
        default=3_600,
        ge=60,
        description="no entry on a pair after a rollback or halt; doubled each time, up to a day",
    )
    max_unhedged_sec: float = Field(
        default=120, ge=10, le=3_600, description="the bound: entry notional x so many seconds, then an alarm"
    )
    max_slice_notional: Quote | None = Field(
        default=None, gt=0, description="largest spot order, quote; empty: no limit"
    )
    perp_check_sec: float = Field(
        default=5, ge=1, le=300, description="between comparisons with the exchange's position"
    )
    spot_check_sec: float = Field(
        default=60, ge=5, le=3_600, description="between comparisons with the spot account"
    )
    idle_after_sec: float = Field(
        default=120, ge=60, le=3_600, description="without a loop, until the sentinel takes over"
    )

    def policy(self) -> Policy:
        """Return the engine's policy in exact numbers."""
        slice_notional = self.max_slice_notional
        return Policy(
            open_timeout_ms=_ms(self.open_timeout_sec),
            close_timeout_ms=_ms(self.close_timeout_sec),
            order_timeout_ms=_ms(self.order_timeout_sec),
            poll_ms=_ms(self.poll_interval_sec),
            grace_ms=_ms(self.not_found_grace_sec),
            slippage=exact(self.max_slippage_bps) / 10_000,
            retry_slippage=exact(max(self.retry_slippage_bps, self.max_slippage_bps)) / 10_000,
            attempts=self.attempts,
            rebalance_threshold=exact(self.rebalance_threshold),
            cool_down_ms=_ms(self.cool_down_sec),
            max_unhedged_s=exact(self.max_unhedged_sec),
            max_slice_notional=None if slice_notional is None else exact(slice_notional),
        )


class PaperConfig(BaseModel):
    """The spot account of a dry-run. `spot_balance` in quote; empty: dry_run_wallet serves both legs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spot_balance: Quote | None = Field(
        default=None,
        gt=0,
        description="of the dry-run's spot account; empty: `dry_run_wallet` pays for both legs",
    )
    latency_ms: int = Field(default=100, ge=0, le=10_000, description="of an order in a dry-run")
    fee_in_base: bool = Field(
        default=True, description="whether spot purchases pay their fee in coins, as on Binance"
    )


class ReportConfig(BaseModel):
    """What is told through freqtrade's channels beside alarms. `daily_at` in UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: bool = Field(default=True, description="tell when a pair is opening, hedged and closed")
    daily: bool = Field(default=True, description="tell once a UTC day what the day before has earned")
    daily_at: str = Field(
        default="00:10", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="UTC time from which that is sent"
    )

    @property
    def daily_at_ms(self) -> int:
        """Return the time of day in ms."""
        hours, minutes = self.daily_at.split(":")
        return (int(hours) * 60 + int(minutes)) * 60_000


class HedgeLegConfig(BaseModel):
    """Settings of the spot leg. Unknown fields are refused: a typo must not mean a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leverage: float = Field(
        default=2.0,
        ge=1.0,
        le=MAX_LEVERAGE,
        description="of the perp: a pair of notional N ties up N + N / leverage",
    )
    costs: CostModel = CostModel()
    spot_lots: dict[str, float] = Field(
        default_factory=dict, description="base coin to lot, for backtests; 1e-8 where a coin is not listed"
    )
    cash_buffer: Fraction = Field(
        default=0.005, ge=0.0, le=0.5, description="of the notional, kept free at an entry"
    )
    roll_distance: Fraction = Field(
        default=0.25, ge=0.02, le=0.9, description="roll the pair below this liquidation price / price - 1"
    )
    mode: Literal["trade", "observer"] = Field(
        default="trade", description="`observer`: never enter, record what would be done"
    )
    journal_url: str = Field(default="", description="SQLAlchemy URL; empty: a SQLite file in user_data")
    exchange: ExchangeConfig = ExchangeConfig()
    execution: ExecutionConfig = ExecutionConfig()
    paper: PaperConfig = PaperConfig()
    guard: GuardConfig = GuardConfig()
    observer: ObserverConfig = ObserverConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _readable_in_time(self) -> "HedgeLegConfig":
        """Refuse a guard that would trip between two regular reads of the account."""
        stale, every = (
            self.guard.account_stale_sec,
            max(self.execution.spot_check_sec, self.execution.perp_check_sec),
        )
        if 0 < stale < 2 * every:
            raise ValueError(
                f"guard.account_stale_sec {stale:g} is below two checks of the account ({every:g} s each)"
            )
        return self

    def observed_terms(self) -> PairTerms:
        """Return what a pair costs, as the observer counts it: slippage is read from the books."""
        costs = self.costs
        perp, spot = (round(rate * 1e4, 9) for rate in (costs.perp_fee_rate, costs.spot_fee_rate))
        return PairTerms(
            perp_fee_bps=exact(perp),
            spot_fee_bps=exact(spot),
            perp_taker_bps=exact(costs.perp_taker_bps),
            perp_maker_bps=exact(costs.perp_maker_bps),
            spot_taker_bps=exact(costs.spot_taker_bps),
            spot_maker_bps=exact(costs.spot_maker_bps),
            borrow_daily_bps=exact(costs.borrow_daily_bps),
            fixed=exact(costs.fixed_per_trade),
        )

    def terms(self, base: str) -> HedgeTerms:
        """Return the exact terms of the hedge of one coin."""
        costs = self.costs
        lot = self.spot_lots.get(base)
        return HedgeTerms(
            lot=SMALLEST_LOT if lot is None else exact(lot),
            spot_fee=Bps(exact(round(costs.spot_fee_rate * 1e4, 9))),
            spot_slippage=Bps(exact(costs.spot_slippage_bps)),
            perp_slippage=Bps(exact(costs.perp_slippage_bps)),
            borrow_daily=Bps(exact(costs.borrow_daily_bps)),
            fixed_per_trade=exact(costs.fixed_per_trade),
        )

    def stake_for(self, capital: float, leverage: float) -> float:
        """Return the perp margin that lets `capital` pay for both legs, in quote currency.

        A pair of notional N ties up N/leverage + N + its entry costs + the cash buffer.
        """
        reserve = self.costs.side_bps * 1e-4 + self.cash_buffer
        notional = (capital - self.costs.fixed_per_trade) / (1.0 / leverage + 1.0 + reserve)
        return max(notional, 0.0) / leverage


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def read_config(block: object) -> HedgeLegConfig:
    """Validate the block; ConfigError names the first wrong field and what it allows."""
    if block is None:
        return HedgeLegConfig()
    if not isinstance(block, Mapping):
        raise ConfigError('configuration field "hedge_leg" must be an object, for example {"leverage": 2}')
    try:
        config = HedgeLegConfig.model_validate(dict(block))
    except UsageError as error:
        raise ConfigError(f"configuration field hedge_leg.{error}") from error
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from error
    for coin, lot in config.spot_lots.items():
        if not lot >= float(SMALLEST_LOT):
            raise ConfigError(f"configuration field hedge_leg.spot_lots.{coin} is {lot}: give a lot >= 1e-8")
    return config


def layered(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `over` laid over `base` as freqtrade does: objects are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = layered(below, value)
        else:
            merged[key] = value
    return merged


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in ("hedge_leg", *first["loc"]))
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_fields(str(first["loc"][0]) if len(first["loc"]) > 1 else "")
        return f"configuration field {path} is not known: allowed are {', '.join(known)}"
    if first["type"] == "value_error":
        return f"configuration field {path}: {first['msg'].removeprefix('Value error, ')}"
    return f"configuration field {path} is {first['input']!r}: {first['msg'].lower()}"


def _known_fields(section: str) -> list[str]:
    """Return the fields of a section of the block, or of the block itself."""
    if section == "costs":
        return [field.name for field in fields(CostModel)]
    sections: dict[str, type[BaseModel]] = {
        "exchange": ExchangeConfig,
        "execution": ExecutionConfig,
        "paper": PaperConfig,
        "guard": GuardConfig,
        "observer": ObserverConfig,
        "report": ReportConfig,
    }
    return list(sections.get(section, HedgeLegConfig).model_fields)

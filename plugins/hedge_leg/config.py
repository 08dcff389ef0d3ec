"""The validated "hedge_leg" block of freqtrade's configuration.

Every field has a safe default, so a missing block means: leverage 2, Binance's lowest fee tier. The block
is exported with freqtrade's results; it therefore never holds credentials.
"""

from collections.abc import Mapping
from dataclasses import fields

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from carry.costs import CostModel
from carry.errors import UsageError
from hedge_leg.core.amounts import SMALLEST_LOT, Bps, exact
from hedge_leg.core.mirror import HedgeTerms
from hedge_leg.errors import ConfigError

MAX_LEVERAGE = 3.0


class HedgeLegConfig(BaseModel):
    """Settings of the spot leg. Unknown fields are refused: a typo must not mean a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    leverage: float = Field(default=2.0, ge=1.0, le=MAX_LEVERAGE)
    costs: CostModel = CostModel()
    spot_lots: dict[str, float] = Field(default_factory=dict)
    cash_buffer: float = Field(default=0.005, ge=0.0, le=0.5)
    roll_distance: float = Field(default=0.25, ge=0.02, le=0.9)

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


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in ("hedge_leg", *first["loc"]))
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        costs, block = [field.name for field in fields(CostModel)], list(HedgeLegConfig.model_fields)
        known = costs if "costs" in first["loc"] else block
        return f"configuration field {path} is not known: allowed are {', '.join(known)}"
    return f"configuration field {path} is {first['input']!r}: {first['msg'].lower()}"

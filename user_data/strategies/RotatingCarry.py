"""Rotation: hold the pairs with the best expected net carry after costs, or nothing (REFERENCES 6)."""

from freqtrade.strategy import CategoricalParameter

from carry.rotation import RotationRules
from hedge_leg.rotating_strategy import RotatingStrategy
from hedge_leg.sizing import reserve_share


class RotatingCarry(RotatingStrategy):
    """Of all pairs, the best `max_open_trades`; change only for more than the round trips cost.

    Defaults are those of REFERENCES section 6: slow memory (63 settlements), 90 settlements ahead. The hurdle
    is what idle cash earns: a fact of its owner, so hyperopt leaves it alone.
    """

    span_cycles = CategoricalParameter([9, 21, 63, 126], default=63, space="buy")
    horizon_cycles = CategoricalParameter([30, 60, 90, 180], default=90, space="buy")
    idle_yield_pct = CategoricalParameter(
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], default=3.0, space="buy", optimize=False
    )
    basis_weight = CategoricalParameter([0.0, 1.0], default=1.0, space="buy")
    switch_margin = CategoricalParameter([0.5, 1.0, 1.5, 2.0], default=1.0, space="sell")

    def rotation_rules(self) -> RotationRules:
        """Return the rules of the present parameters, costs and leverage."""
        costs = self.hedge.costs
        return RotationRules(
            span=self.span_cycles.value,
            horizon=self.horizon_cycles.value,
            round_trip_bps=costs.round_trip_bps,
            borrow_daily_bps=costs.borrow_daily_bps,
            idle_yield_pct=self.idle_yield_pct.value,
            capital_per_notional=1.0 + 1.0 / self.hedge.leverage + reserve_share(self.hedge),
            margin=self.switch_margin.value,
            basis_weight=self.basis_weight.value,
        )

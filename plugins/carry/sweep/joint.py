"""Signals of strategies that decide over all pairs at once: `RotatingStrategy` states `rotation_rules`.

The strategy gives its rules, `carry.rotation.rotate` decides: the call that the strategy itself makes, on the
same frames, with as many slots as the run has.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from carry.market import timeframe_delta
from carry.rotation import Rotation, RotationRules, pair_series, rotate, rotation_market
from carry.sweep.history import PairWindow
from carry.sweep.layout import Bools
from carry.sweep.signals import PairSignals, ParameterSet, SweptStrategy

JOINT_BASE = "RotatingStrategy"
JOINT_RULES = frozenset({"rotation_rules", "exit_policy"})


class JointSignals(PairSignals):
    """Entries and holds of a rotation; `slots` is what the run's configuration allows."""

    def __init__(
        self,
        strategy: SweptStrategy,
        frames: Sequence[pd.DataFrame],
        windows: Sequence[PairWindow],
        timeframe: str,
    ) -> None:
        """Put the pairs' series on one grid."""
        super().__init__(strategy, frames, timeframe_delta(timeframe) / pd.Timedelta(1, unit="h"))
        series = [
            pair_series(one.pair, frame, one.market.funding, timeframe)
            for one, frame in zip(windows, frames, strict=True)
        ]
        self._market = rotation_market(series, timeframe)
        self._places = [
            (np.searchsorted(self._market.opened, one.opened), self._market.pairs.index(one.pair))
            for one in series
        ]
        self._last: tuple[tuple[RotationRules, float], Rotation] | None = None

    def entries(self, parameters: ParameterSet, lay: Callable[[Sequence[Bools]], Bools]) -> Bools:
        """Return where a chosen pair is worth opening, on the market's grid."""
        return self._laid(self._rotation(parameters).entry, lay)

    def holds(self, parameters: ParameterSet, lay: Callable[[Sequence[Bools]], Bools]) -> Bools:
        """Return where a pair is chosen, on the market's grid."""
        return self._laid(self._rotation(parameters).target, lay)

    def _laid(self, matrix: Bools, lay: Callable[[Sequence[Bools]], Bools]) -> Bools:
        return lay([matrix[rows, column] for rows, column in self._places])

    def _rotation(self, parameters: ParameterSet) -> Rotation:
        rules, _ = self.strategy.ask("rotation_rules", parameters)
        asked = (rules, self.slots)
        if self._last is None or self._last[0] != asked:
            self._last = (asked, rotate(self._market, *asked, first=self.strategy.startup))
        return self._last[1]


def signals_of(
    strategy: SweptStrategy, frames: Sequence[pd.DataFrame], windows: Sequence[PairWindow], timeframe: str
) -> PairSignals:
    """Return the signals of a strategy, pair by pair or joint."""
    if any(one.__name__ == JOINT_BASE for one in type(strategy.instance).__mro__):
        return JointSignals(strategy, frames, windows, timeframe)
    return PairSignals(strategy, frames, timeframe_delta(timeframe) / pd.Timedelta(1, unit="h"))

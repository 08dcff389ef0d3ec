"""Rotation: hold the pairs with the best expected net carry after costs, or nothing (REFERENCES 6)."""

from typing import Any

import numpy as np
import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.persistence import Trade
from freqtrade.strategy import CategoricalParameter

from carry.errors import CarryError
from carry.rotation import (
    PairSeries,
    Rotation,
    RotationMarket,
    RotationRules,
    pair_series,
    rotate,
    rotation_market,
)
from hedge_leg.freqtrade_host import HedgedStrategy
from hedge_leg.sizing import reserve_share


class RotatingCarry(HedgedStrategy):
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

    def __init__(self, config: dict[str, Any]) -> None:
        """Start with no pair known."""
        super().__init__(config)
        self._series: dict[str, PairSeries] = {}
        self._market: RotationMarket | None = None
        self._decided: tuple[tuple[RotationRules, float], Rotation] | None = None

    def rules(self) -> RotationRules:
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

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Add the features, and keep what the other pairs need to know of this one."""
        frame: pd.DataFrame = super().populate_indicators(dataframe, metadata)
        self._note(metadata["pair"], frame)
        return frame

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Look the pair's part of the decision over all pairs up, then mark entries as every strategy."""
        pair = metadata["pair"]
        market, rotation = self._decide(pair)
        opened = dataframe["date"].dt.as_unit("ns").astype("int64").to_numpy()
        rows, column = np.searchsorted(market.opened, opened), market.pairs.index(pair)
        dataframe["rotation_value_bps"] = rotation.value_bps[rows, column]
        dataframe["rotation_target"] = rotation.target[rows, column]
        dataframe["rotation_entry"] = rotation.entry[rows, column]
        return super().populate_entry_trend(dataframe, metadata)

    def entry_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Chosen, and worth opening now."""
        return frame["rotation_entry"]

    def hold_rule(self, frame: pd.DataFrame) -> "pd.Series[bool]":
        """Hold while chosen."""
        return frame["rotation_target"]

    def _note(self, pair: str, frame: pd.DataFrame) -> None:
        self._series[pair] = pair_series(pair, frame, self.leg.funding(pair), self.timeframe)
        self._market = self._decided = None

    def _decide(self, pair: str) -> tuple[RotationMarket, Rotation]:
        """Return the decision over all pairs, the same for each of them.

        A backtest has noted every pair before it asks for signals, and replays its own past. A trading bot
        is asked pair by pair: the others' candles are fetched, and what is really held decides.
        """
        trading = self.config.get("runmode") in (RunMode.LIVE, RunMode.DRY_RUN)
        held = [trade.pair for trade in Trade.get_open_trades()] if trading else []
        if trading:
            self._note_others(pair, {*self.dp.current_whitelist(), *held})
        if self._market is None:
            self._market = rotation_market(list(self._series.values()), self.timeframe)
        last = int(np.searchsorted(self._market.opened, self._series[pair].opened[-1]))
        first = last if trading else self.startup_candle_count
        asked = (self.rules(), float(self.max_open_trades))
        if trading or self._decided is None or self._decided[0] != asked:
            self._decided = (asked, rotate(self._market, *asked, first=first, held=held))
        return self._market, self._decided[1]

    def _note_others(self, pair: str, universe: set[str]) -> None:
        """Note every other pair at this candle; one that cannot be read is not known, and decides nothing."""
        last = self._series[pair].opened[-1]
        for other in {*self._series} - universe - {pair}:
            del self._series[other]
            self._market = None
        for other in sorted(universe - {pair}):
            if other in self._series and self._series[other].opened[-1] >= last:
                continue
            candles = self.dp.get_pair_dataframe(other, self.timeframe)
            try:
                features = self.leg.features(other, candles) if len(candles) else None
            except CarryError:
                features = None
            if features is None:
                self._series.pop(other, None)
                self._market = None
            else:
                self._note(other, features.assign(date=candles["date"].reset_index(drop=True)))

"""RotatingStrategy: a hedged strategy that decides over all pairs at once, in every run mode.

freqtrade asks a strategy pair by pair; a rotation needs all of them. A subclass states `rotation_rules`; what
is chosen is `carry.rotation.rotate` of every pair's series, the same for each of them. A backtest notes every
pair before it asks for signals and replays its own past from an empty account; a trading bot is asked while
the others' last candle is not analysed yet, so they are fetched, and what is really held decides.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd

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


class RotatingStrategy(HedgedStrategy):
    """Base of strategies that hold the best `max_open_trades` of all pairs, or fewer."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Start with no pair known."""
        super().__init__(config)
        self._series: dict[str, PairSeries] = {}
        self._market: RotationMarket | None = None
        self._decided: tuple[tuple[RotationRules, float], Rotation] | None = None

    @abstractmethod
    def rotation_rules(self) -> RotationRules:
        """Return the rules of the present parameters, costs and leverage."""

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Add the features, and keep what the other pairs need to know of this one."""
        frame: pd.DataFrame = super().populate_indicators(dataframe, metadata)
        self._note(metadata["pair"], frame)
        return frame

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Look up the pair's part of the decision over all pairs, then mark entries as every strategy."""
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
        """Return the decision over all pairs; a trading bot's is of the pair's last candle on."""
        held = self.held_pairs() if self.trading else []
        if self.trading:
            self._note_others(pair, {*self.dp.current_whitelist(), *held})
        if self._market is None:
            self._market = rotation_market(list(self._series.values()), self.timeframe)
        last = int(np.searchsorted(self._market.opened, self._series[pair].opened[-1]))
        first = last if self.trading else self.startup_candle_count
        asked = (self.rotation_rules(), float(self.max_open_trades))
        if self.trading or self._decided is None or self._decided[0] != asked:
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

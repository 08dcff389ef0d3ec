"""What a trading freqtrade knows of a pair's market, as the features want it: nothing filled, nothing stale.

freqtrade's live candles come from its data provider; a missing spot candle is absent or has volume 0, as on
disk. Anything that is not covered raises DataError: then there is no signal, in either direction.
"""

from decimal import Decimal

import numpy as np
import pandas as pd

from carry.errors import DataError
from carry.features import carry_features
from carry.market import CANDLE_COLUMNS, FUNDING_COLUMNS, settle_stamps, timeframe_delta
from hedge_leg.core.amounts import exact
from hedge_leg.recorded import Stamps, epoch_ms

_FRESH_FUNDING_H = 9  # a venue settles every 8 hours at the most


def live_features(
    pair: str, perp: pd.DataFrame, spot: pd.DataFrame, funding: pd.DataFrame, timeframe: str
) -> pd.DataFrame:
    """Return the columns of `carry.features` for each perp candle.

    `perp`, `spot`: closed candles as freqtrade serves them; `funding`: date, funding_rate. DataError when
    spot or funding is empty, or does not reach the last perp candle.
    """
    if spot.empty or funding.empty:
        missing = "spot candles" if spot.empty else "funding"
        raise DataError(f"{pair}: the exchange gave no {missing}: no signal until it does")
    last = perp["date"].iloc[-1] + timeframe_delta(timeframe)
    if last - funding["date"].iloc[-1] > pd.Timedelta(hours=_FRESH_FUNDING_H):
        raise DataError(f"{pair}: the last settlement known is of {funding['date'].iloc[-1]}: no signal")
    traded = spot.loc[spot["volume"] > 0, list(CANDLE_COLUMNS)].reset_index(drop=True)
    rates = funding.loc[funding["date"] < last, list(FUNDING_COLUMNS)].reset_index(drop=True)
    features: pd.DataFrame = carry_features(perp.loc[:, list(CANDLE_COLUMNS)], traded, rates, timeframe)
    return features


def settled_stamps(funding: pd.DataFrame) -> Stamps:
    """Return the settlements' stamps in ms, rounded to the minute, ascending."""
    return np.sort(epoch_ms(settle_stamps(funding["date"])))


def settlements(
    rates: pd.DataFrame, marks: pd.DataFrame, since_ms: int
) -> list[tuple[int, Decimal, Decimal]]:
    """Return (stamp ms, rate, mark open) of the settlements from `since_ms` on that have a mark candle."""
    stamps = epoch_ms(settle_stamps(rates["date"]))
    mark_at = dict(zip(epoch_ms(marks["date"]).tolist(), marks["open"].tolist(), strict=True))
    return [
        (stamp, exact(rate), exact(mark_at[stamp]))
        for stamp, rate in zip(stamps.tolist(), rates["funding_rate"].tolist(), strict=True)
        if stamp >= since_ms and stamp in mark_at
    ]

"""A pair's market as far back as slow features need it, for a trading bot.

freqtrade keeps a few hundred candles and five requests' worth at most; regimes look back half a year. What
is older is read once from the exchange, then continued with what freqtrade serves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

# since -> the rows from then on, oldest first; what is missing is missing
Reader = Callable[[pd.Timestamp], pd.DataFrame]


@dataclass(slots=True)
class LongSeries:
    """One series by pair. Rows with a `date`; what was served last wins over older copies.

    `step`: two rows that are further apart have something between them.
    """

    step: pd.Timedelta
    _kept: dict[str, pd.DataFrame] = field(default_factory=dict)

    def reaching(self, pair: str, since: pd.Timestamp, served: pd.DataFrame, read: Reader) -> pd.DataFrame:
        """Return the rows from `since` on: read from the exchange, continued with `served`.

        `read(since)` is asked only at first, or when freqtrade was away for so long that `served` does not
        join what is kept.
        """
        kept = self._kept.get(pair)
        if kept is None or kept.empty or kept["date"].iloc[-1] + self.step < served["date"].iloc[0]:
            kept = read(since)
        joined = pd.concat([kept[kept["date"] < served["date"].iloc[0]], served], ignore_index=True)
        self._kept[pair] = joined[joined["date"] >= since].reset_index(drop=True)
        return self._kept[pair]

"""A slow timeframe decides, a fast one executes: candles of the slow one, and the entry on the fast one.

The parent (15m) gives the decision at its closes; within a window of child bars (5m) the pair is opened when
perp and spot have come further apart again, or at once, and never around a settlement. Everything is known
at the child's close and filled at the next open, so the same rule runs in backtest, hyperopt, sweep and live.

A window begins with the first parent close that says yes after one that did not. Its spread is what a
pull-back is measured from; when the window has passed, the same run of decisions opens nothing any more.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from carry.errors import UsageError
from carry.features import ZSCORE_HOURS, carry_features
from carry.market import CANDLE_COLUMNS, timeframe_delta

_ROOM_H = 4
PARENT = "parent_"  # prefix of the parent's columns in the child's frame
_HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


@dataclass(frozen=True, slots=True)
class ChildRules:
    """How a decision is executed.

    `pullback_bps`: how much wider than at the decision the spread has to be, within `bars` child bars; 0:
    enter at once, as long as the decision lasts. `quiet_minutes`: before and after a settlement in which
    nothing is opened; 0: none.
    """

    bars: int = 6
    pullback_bps: float = 0.0
    quiet_minutes: float = 0.0


def history_h(bars: int, child: str) -> int:
    """Return how many hours of candles decide a row as all of the past does, for a window of so many bars.

    The parent's 72 h, the window before it, in which a run of decisions has to be seen to begin, and room for
    candles that are missing.
    """
    window = timeframe_delta(child) * bars / pd.Timedelta(1, unit="h")
    return ZSCORE_HOURS + _ROOM_H + math.ceil(window)


def resampled(candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Return candles of a slower timeframe; one whose last child is absent or later is left out.

    `candles`: `CANDLE_COLUMNS`, dates aware UTC ascending, of one timeframe that divides the slower one.
    """
    step = timeframe_delta(timeframe)
    child = _step_of(candles)
    if child is None or child >= step or step % child != pd.Timedelta(0):
        raise UsageError(f"{timeframe} is not a multiple of the candles' own timeframe: give a slower one")
    opened = candles["date"].dt.floor(step)
    slow = candles.groupby(opened, sort=True).agg(_HOW)
    whole = opened[(candles["date"] + child) == (opened + step)]
    return slow.loc[slow.index.isin(whole)].reset_index(names="date")[list(CANDLE_COLUMNS)]


def _step_of(candles: pd.DataFrame) -> pd.Timedelta | None:
    found = candles["date"].diff().min()
    return None if pd.isna(found) else pd.Timedelta(found)


def parent_columns(
    perp: pd.DataFrame,
    spot: pd.DataFrame,
    funding: pd.DataFrame,
    timeframe: str,
    closes: "pd.Series[pd.Timestamp]",
) -> pd.DataFrame:
    """Return `carry.features` of the parent timeframe as each of the child's closes knows them.

    `perp`, `spot`: the child's candles, far enough back for 72 h; `closes`: close times of the rows wanted.
    Columns `parent_*`, and `parent_close`: the close time of the parent candle that is known (NaT: none).
    """
    slow = resampled(perp, timeframe)
    features = carry_features(slow, resampled(spot, timeframe), funding, timeframe)
    ended = slow["date"] + timeframe_delta(timeframe)
    rows = np.searchsorted(_ns(ended), _ns(closes), side="right") - 1
    known = features.assign(close=ended).reindex(np.where(rows < 0, len(slow), rows)).set_index(closes.index)
    for name in ("spot_traded", "positive_funding_regime"):  # unknown is no
        known[name] = known[name].eq(True)
    return known.add_prefix(PARENT)


def _ns(dates: "pd.Series[pd.Timestamp]") -> npt.NDArray[np.int64]:
    return np.asarray(dates.dt.as_unit("ns").astype("int64"), dtype=np.int64)


def parent_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the parent's features of each child row under their own names, for the rules."""
    own = [name for name in frame.columns if name.startswith(PARENT)]
    return frame[own].rename(columns=lambda name: name.removeprefix(PARENT))


def child_entry(frame: pd.DataFrame, decision: "pd.Series[bool]", rules: ChildRules) -> "pd.Series[bool]":
    """Return the child rows at whose next open the pair is opened.

    `frame`: the child's candles with `carry.features` and `parent_columns`; `decision`: the parent's rule
    by row. A row whose spread or settlement has to be known and is not opens nothing.
    """
    decided = decision.astype(bool) & frame["parent_close"].notna()
    found = decided.copy()
    if rules.pullback_bps > 0:
        begins = decided & ~decided.shift(1, fill_value=False)
        run = begins.cumsum()
        base = frame["spread_bps"].where(begins).groupby(run).transform("first")
        found &= decided.groupby(run).cumsum() <= rules.bars
        found &= frame["spread_bps"] >= base + rules.pullback_bps
    if rules.quiet_minutes > 0:
        before = frame["hours_to_settlement"] * 60.0 > rules.quiet_minutes
        found &= before & (frame["funding_age_h"] * 60.0 >= rules.quiet_minutes)
    return found

"""Defects of recorded data: how to make each, and how it must be reported."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from carry.findings import Code, Severity
from tests.carry_data.markets import START, Frames

Defect = Callable[[Frames], Frames]


def without(frame: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    return frame.drop(index=range(first, last + 1)).reset_index(drop=True)


def set_cell(frame: pd.DataFrame, row: int, column: str, value: float) -> pd.DataFrame:
    changed = frame.copy()
    changed.loc[row, column] = value
    return changed


def twice(frame: pd.DataFrame, row: int, **changes: float) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[[row]].assign(**changes)]).sort_values("date", ignore_index=True)


def moved(frame: pd.DataFrame, ms: float, rows: slice) -> pd.DataFrame:
    changed = frame.copy()
    changed.loc[changed.index[rows], "date"] += pd.Timedelta(ms, unit="ms")
    return changed


def stamps(intervals: list[int]) -> pd.DataFrame:
    dates = [START, *(START + pd.to_timedelta(np.cumsum(intervals), unit="h"))]
    return pd.DataFrame({"date": dates, "funding_rate": 1e-4})


DEFECTS: dict[str, tuple[Defect, str, Severity, Code]] = {
    "perp gap of 3 h": (
        lambda m: replace(m, perp=without(m.perp, 50, 52)),
        "futures",
        Severity.WARNING,
        Code.GAP,
    ),
    "perp gap of 25 h": (
        lambda m: replace(m, perp=without(m.perp, 50, 74)),
        "futures",
        Severity.ERROR,
        Code.GAP,
    ),
    "perp starts late": (
        lambda m: replace(m, perp=without(m.perp, 0, 60)),
        "futures",
        Severity.WARNING,
        Code.SHORT_START,
    ),
    "perp ends early": (
        lambda m: replace(m, perp=without(m.perp, 200, 239)),
        "futures",
        Severity.WARNING,
        Code.SHORT_END,
    ),
    "perp off the grid": (
        lambda m: replace(m, perp=moved(m.perp, 60_000, slice(4, 5))),
        "futures",
        Severity.ERROR,
        Code.OFF_GRID,
    ),
    "perp without volume": (
        lambda m: replace(m, perp=set_cell(m.perp, 7, "volume", 0.0)),
        "futures",
        Severity.WARNING,
        Code.ZERO_VOLUME,
    ),
    "perp empty": (
        lambda m: replace(m, perp=m.perp.iloc[:0]),
        "futures",
        Severity.ERROR,
        Code.EMPTY,
    ),
    "spot outage of 2 h": (
        lambda m: replace(m, spot=without(m.spot, 50, 51)),
        "spot",
        Severity.WARNING,
        Code.OUTAGE,
    ),
    "spot of volume 0": (
        lambda m: replace(m, spot=set_cell(m.spot, 50, "volume", 0.0)),
        "spot",
        Severity.WARNING,
        Code.OUTAGE,
    ),
    "spot lacks the first hour": (
        lambda m: replace(m, spot=without(m.spot, 0, 0)),
        "spot",
        Severity.WARNING,
        Code.OUTAGE,
    ),
    "spot outage of 25 h": (
        lambda m: replace(m, spot=without(m.spot, 50, 74)),
        "spot",
        Severity.ERROR,
        Code.OUTAGE,
    ),
    "spot starts 25 h late": (
        lambda m: replace(m, spot=without(m.spot, 0, 24)),
        "spot",
        Severity.ERROR,
        Code.SHORT_START,
    ),
    "spot ends 25 h early": (
        lambda m: replace(m, spot=without(m.spot, 215, 239)),
        "spot",
        Severity.ERROR,
        Code.SHORT_END,
    ),
    "spot never traded": (
        lambda m: replace(m, spot=m.spot.assign(volume=0.0)),
        "spot",
        Severity.ERROR,
        Code.NEVER_TRADED,
    ),
    "spot NaN": (
        lambda m: replace(m, spot=set_cell(m.spot, 9, "close", np.nan)),
        "spot",
        Severity.ERROR,
        Code.NAN,
    ),
    "perp row without date": (
        lambda m: replace(m, perp=twice(m.perp, 0).assign(date=lambda f: f["date"].where(f.index > 0))),
        "futures",
        Severity.ERROR,
        Code.NAN,
    ),
    "price of zero": (
        lambda m: replace(m, perp=set_cell(m.perp, 9, "open", 0.0)),
        "futures",
        Severity.ERROR,
        Code.NON_POSITIVE,
    ),
    "high below low": (
        lambda m: replace(m, mark=set_cell(m.mark, 9, "high", 1.0)),
        "mark",
        Severity.ERROR,
        Code.HIGH_BELOW_LOW,
    ),
    "same row twice": (
        lambda m: replace(m, perp=twice(m.perp, 9)),
        "futures",
        Severity.WARNING,
        Code.DUPLICATE,
    ),
    "contradicting rows": (
        lambda m: replace(m, spot=twice(m.spot, 9, close=1.0)),
        "spot",
        Severity.ERROR,
        Code.DUPLICATE,
    ),
    "settlement twice within a minute": (
        lambda m: replace(m, funding=moved(twice(m.funding, 9), 7, slice(10, 11))),
        "funding_rate",
        Severity.WARNING,
        Code.DUPLICATE,
    ),
    "rate NaN": (
        lambda m: replace(m, funding=set_cell(m.funding, 9, "funding_rate", np.nan)),
        "funding_rate",
        Severity.ERROR,
        Code.NAN,
    ),
    "rate of 6 %": (
        lambda m: replace(m, funding=set_cell(m.funding, 9, "funding_rate", -0.06)),
        "funding_rate",
        Severity.WARNING,
        Code.RATE_OUT_OF_RANGE,
    ),
    "settlement missing": (
        lambda m: replace(m, funding=without(m.funding, 9, 9)),
        "funding_rate",
        Severity.ERROR,
        Code.FUNDING_GAP,
    ),
    "settlement missing among 2 h": (
        lambda m: replace(m, funding=stamps([2] * 50 + [4] + [2] * 67)),
        "funding_rate",
        Severity.ERROR,
        Code.FUNDING_GAP,
    ),
    "interval of 6 h": (
        lambda m: replace(m, funding=stamps([8] * 10 + [6] + [8] * 19)),
        "funding_rate",
        Severity.ERROR,
        Code.FUNDING_GAP,
    ),
    "funding starts late": (
        lambda m: replace(m, funding=without(m.funding, 0, 1)),
        "funding_rate",
        Severity.ERROR,
        Code.SHORT_START,
    ),
    "funding ends early": (
        lambda m: replace(m, funding=without(m.funding, 29, 29)),
        "funding_rate",
        Severity.ERROR,
        Code.SHORT_END,
    ),
    "no settlement at all": (
        lambda m: replace(m, funding=m.funding.iloc[:0]),
        "funding_rate",
        Severity.ERROR,
        Code.EMPTY,
    ),
    "stamps 31 ms late": (
        lambda m: replace(m, funding=moved(m.funding, 31, slice(3, 6))),
        "funding_rate",
        Severity.NOTE,
        Code.JITTER,
    ),
    "stamp 61 s late": (
        lambda m: replace(m, funding=moved(m.funding, 61_000, slice(3, 4))),
        "funding_rate",
        Severity.ERROR,
        Code.JITTER,
    ),
    "stamp before the hour": (
        lambda m: replace(m, funding=moved(m.funding, -5, slice(3, 4))),
        "funding_rate",
        Severity.WARNING,
        Code.JITTER_UNVALUED,
    ),
    "mark missing at a settlement": (
        lambda m: replace(m, mark=without(m.mark, 80, 80)),
        "mark",
        Severity.ERROR,
        Code.MARK_MISSING,
    ),
    "mark starts late": (
        lambda m: replace(m, mark=without(m.mark, 0, 10)),
        "mark",
        Severity.ERROR,
        Code.SHORT_START,
    ),
    "mark ends early": (
        lambda m: replace(m, mark=without(m.mark, 230, 239)),
        "mark",
        Severity.ERROR,
        Code.SHORT_END,
    ),
    "mark empty": (lambda m: replace(m, mark=m.mark.iloc[:0]), "mark", Severity.ERROR, Code.EMPTY),
}

"""Checks of settlements for the coverage gate: are they all there, and can each be valued?

A settlement is paid on the mark price of its stamp; freqtrade floors stamps to the second and joins
them to the mark candles by equality, so one without a mark candle counts nothing, silently.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from carry.coverage_candles import HOUR, at, short_ends
from carry.features import INTERVALS_H
from carry.findings import FUNDING, MARK, Code, Finding, Request, Severity
from carry.market import settle_stamps

LONGEST_INTERVAL = max(INTERVALS_H) * HOUR
ISOLATED = 1.5  # an interval this many times both its neighbours hides a settlement
LARGEST_JITTER = pd.Timedelta(1, unit="min")
NAMED_CHANGES = 5


def check_funding(
    request: Request, funding: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]
) -> Iterator[Finding]:
    """Check the settlements inside `span`, the perp's candles: ends, gaps, interval changes, jitter.

    `funding` holds the rows inside the span. At its ends up to one interval of 8 h may pass without one.
    """
    start, end = span
    if funding.empty:
        message = f"no settlement between {at(start)} and {at(end)}"
        yield request.finding(
            Severity.ERROR, Code.EMPTY, FUNDING, message, start=start, end=end,
            remedy=request.fetch(start, end),
        )  # fmt: skip
        return
    stamps = settle_stamps(funding["date"]).drop_duplicates().reset_index(drop=True)
    yield from short_ends(request, FUNDING, span, (stamps.iloc[0], stamps.iloc[-1]), LONGEST_INTERVAL)
    yield from _check_jitter(request, funding["date"])
    intervals = stamps.diff() / HOUR
    rounded = intervals.round()
    missing = _hides_settlement(rounded)
    if missing.any():
        after = np.flatnonzero(missing)
        worst = int(after[np.argmax(intervals[missing])])
        yield request.finding(
            Severity.ERROR, Code.FUNDING_GAP, FUNDING,
            f"settlements are missing in {missing.sum()} places, longest {intervals[worst]:.4g} h"
            f" without one from {at(stamps[worst - 1])}",
            start=stamps[int(after[0]) - 1], end=stamps[int(after[-1])], remedy=request.replace(),
        )  # fmt: skip
    yield from _interval_changes(request, stamps, rounded.where(~missing))


def _hides_settlement(intervals: "pd.Series[float]") -> "pd.Series[bool]":
    """Tell which intervals (hours, first NaN) hide a settlement: none of 1, 2, 4, 8, or alone in being long.

    One 2 h among 1 h is a missing settlement; 4 h followed by 8 h is a change.
    """
    unknown = ~intervals.isin(INTERVALS_H) & intervals.notna() & (intervals > 0.0)
    before, after = intervals.shift(1), intervals.shift(-1)
    return unknown | ((intervals >= ISOLATED * before) & (intervals >= ISOLATED * after))


def _interval_changes(
    request: Request, stamps: "pd.Series[pd.Timestamp]", intervals: "pd.Series[float]"
) -> Iterator[Finding]:
    """Note when the interval changed; `intervals` in hours, NaN where it is not known."""
    known = intervals.dropna()
    changed = known[(known != known.shift(1)) & known.shift(1).notna()]
    if changed.empty:
        return
    told = zip(known.shift(1)[changed.index], changed, stamps[changed.index], strict=True)
    named = [f"{before:.0f} h to {after:.0f} h at {at(time)}" for before, after, time in told][:NAMED_CHANGES]
    more = f" and {len(changed) - NAMED_CHANGES} more" if len(changed) > NAMED_CHANGES else ""
    yield request.finding(
        Severity.NOTE, Code.INTERVAL_CHANGE, FUNDING, f"interval changed: {', '.join(named)}{more}",
        start=stamps[changed.index[0]], end=stamps[changed.index[-1]],
    )  # fmt: skip


def _check_jitter(request: Request, dates: "pd.Series[pd.Timestamp]") -> Iterator[Finding]:
    """Check how far the recorded stamps lie from the full hour."""
    away = dates - dates.dt.round("h")
    late = dates[away != pd.Timedelta(0)]
    if late.empty:
        return
    largest = away.abs().max()
    stops = largest > LARGEST_JITTER
    yield request.finding(
        Severity.ERROR if stops else Severity.NOTE,
        Code.JITTER,
        FUNDING,
        f"{len(late)} stamps off the full hour, by up to {largest / pd.Timedelta(1, unit='ms'):.0f} ms",
        start=late.iloc[0],
        end=late.iloc[-1],
        remedy=request.replace() if stops else "",
    )
    unvalued = late[late.dt.floor("s") != late.dt.round("h")]
    if len(unvalued) and not stops:
        yield request.finding(
            Severity.WARNING, Code.JITTER_UNVALUED, FUNDING,
            f"{len(unvalued)} stamps before the full hour or a second late, first {unvalued.iloc[0]}:"
            " freqtrade joins stamps to the mark by the second and counts no funding for them",
            start=unvalued.iloc[0], end=unvalued.iloc[-1],
        )  # fmt: skip


def check_mark(
    request: Request, funding: pd.DataFrame, mark: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]
) -> Iterator[Finding]:
    """Check that each settlement inside `span` has a mark candle; other mark candles may be absent.

    `funding` holds the rows inside the span, `mark` all rows.
    """
    stamps = settle_stamps(funding["date"]).drop_duplicates()
    if mark.empty:
        yield request.finding(
            Severity.ERROR, Code.EMPTY, MARK, "the file holds no candle: funding cannot be valued",
            start=span[0], end=span[1], remedy=request.fetch(*span),
        )  # fmt: skip
        return
    absent = stamps[~stamps.isin(mark["date"])]
    early, late = absent < mark["date"].iloc[0], absent > mark["date"].iloc[-1]
    for code, where in (
        (Code.SHORT_START, early),
        (Code.SHORT_END, late),
        (Code.MARK_MISSING, ~(early | late)),
    ):
        if where.any():
            first, last = absent[where].iloc[0], absent[where].iloc[-1]
            until = last + LONGEST_INTERVAL
            yield request.finding(
                Severity.ERROR, code, MARK,
                f"no mark candle at {where.sum()} of {len(stamps)} settlements, {at(first)} to {at(last)}:"
                " funding cannot be valued",
                start=first, end=last,
                remedy=request.replace() if code is Code.MARK_MISSING else request.fetch(first, until),
            )  # fmt: skip


def missing_settlements(funding: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]) -> int:
    """Count the settlements missing in `span`: by the interval before each gap, at the ends by 8 h."""
    stamps = settle_stamps(funding["date"]).drop_duplicates().reset_index(drop=True)
    if stamps.empty:
        return int((span[1] - span[0]) / LONGEST_INTERVAL)
    hours = (stamps.diff() / HOUR).round()
    hidden = _hides_settlement(hours)
    usual = hours.where(~hidden).ffill().fillna(max(INTERVALS_H))
    inside = np.maximum(np.round(hours[hidden] / usual[hidden]) - 1, 0).sum()
    ends = ((stamps.iloc[0] - span[0]) / LONGEST_INTERVAL, (span[1] - stamps.iloc[-1]) / LONGEST_INTERVAL)
    return int(inside + sum(max(np.ceil(end) - 1, 0) for end in ends))
